"""What is known of items besides events, as vectors: their texts by a language model, files of any other modality,
where they are.

Works once for a catalogue, before anything is trained, on plain arrays; serving never comes here. Knows nothing of
events, vocabularies or networks.
"""
