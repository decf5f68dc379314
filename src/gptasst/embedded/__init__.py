"""The embedded model: fetching a GGUF file and running llama.cpp on this machine."""
