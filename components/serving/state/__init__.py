"""What users have done since the model was packed: one small protocol, kept in a folder (LMDB) or in Redis."""
