"""What routes take and give, as strict pydantic records; the document of the API is made of them.

Requests for predictions are checked by them. Answers and live records are only described: answers are dumped as they
are (tests hold them against these), records are judged one by one by `components.serving.intake`.
"""
