"""What `gptasst run X -f FILE` does, as a script on the bare SDK. Takes the file's name."""

import sys
from pathlib import Path

from openai import OpenAI

text = Path(sys.argv[1]).read_text("utf-8")
with OpenAI().responses.create(
    model="gpt-6-luna", instructions="Correct it.", input=text, store=False, stream=True
) as events:
    for event in events:
        if event.type == "response.output_text.delta":
            sys.stdout.write(event.delta)
