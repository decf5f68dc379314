"""What `gptasst run X -f FILE` sends, by `http.client` alone. Takes the base URL and the file."""

import http.client
import json
import sys
from pathlib import Path
from urllib.parse import urlsplit

url = urlsplit(sys.argv[1])
text = Path(sys.argv[2]).read_text("utf-8")
message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
body = {"model": "gpt-6-luna", "instructions": "Correct it.", "input": [message]}
connection = http.client.HTTPConnection(url.netloc)
connection.request(
    "POST",
    f"{url.path}/responses",
    json.dumps({**body, "store": False, "stream": True}),
    {"Content-Type": "application/json", "Authorization": "Bearer sk-bench"},
)
for line in connection.getresponse():
    if line.startswith(b"data: {"):
        event = json.loads(line[6:])
        if event["type"] == "response.output_text.delta":
            sys.stdout.write(event["delta"])
