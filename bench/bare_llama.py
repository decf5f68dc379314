"""llama.cpp's own server and one streamed request. Takes a model and the body of the request."""

import http.client
import json
import os
import sys
from urllib.parse import urlsplit

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import xllamacpp  # libgomp reads the variable when it is loaded

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.n_ctx = 8192
params.n_parallel = 1
params.port = 0
params.ui = False
params.warmup = False
params.verbosity = -1
server = xllamacpp.Server(params)
connection = http.client.HTTPConnection(urlsplit(server.listening_address).netloc)
connection.request("POST", "/v1/responses", sys.argv[2], {"Content-Type": "application/json"})
for line in connection.getresponse():
    if line.startswith(b"data: ") and b'"response.output_text.delta"' in line:
        sys.stdout.write(json.loads(line[6:])["delta"])
        sys.stdout.flush()
