// Search runs in a Worker, which browsers refuse to pages read from the disk. There, a hidden frame
// takes the worker's place: same script, same messages.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      frame.srcdoc = "<!doctype html>"
      this.started = new Promise((started) => {
        frame.addEventListener("load", async () => {
          const inner = frame.contentWindow
          const load = (source) =>
            new Promise((loaded, failed) => {
              const script = inner.document.createElement("script")
              script.src = source
              script.onload = loaded
              script.onerror = failed
              inner.document.body.append(script)
            })
          inner.importScripts = async (...sources) => {
            for (const source of sources) await load(source)
          }
          inner.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }))
          await load(new URL(url, document.baseURI).href)
          started(inner)
        }, { once: true })
      })
      document.documentElement.append(frame)
    }

    async postMessage(data) {
      const inner = await this.started
      inner.dispatchEvent(new inner.MessageEvent("message", { data }))
    }
  }
}
