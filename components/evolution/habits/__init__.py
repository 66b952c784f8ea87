"""When people do what they do: profiles of the week, rhythm, how predictable they can be, shifts, and who stays."""
