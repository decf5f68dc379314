"""The embedded model: download a GGUF file and run llama.cpp on this machine."""
