"""Where behaviour happens: surfaces of cells over time, clustering, interaction, flows, and how each user moves."""
