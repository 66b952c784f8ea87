"""Networks for other runtimes: written only when they answer there as they do here."""
