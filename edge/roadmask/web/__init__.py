"""The console and the prediction API: pages to look at the stream, to upload to it, to compare.

``roadmask serve`` (``servecli``) builds the application (``app``) and runs it. It is an ordinary
subscriber of the stream and needs the extra ``[web]``; nothing outside this folder imports it.
"""
