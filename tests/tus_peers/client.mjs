// tus-js-client, driven by a test. Arguments: one JSON object of
//   endpoint, file, metadata, chunkSize (0: all in one request), urls (where it remembers what it began),
//   stopAt (bytes after which it breaks off; absent: never), terminate (tell the server to forget it then).
// Prints one JSON object: {"url", "sent", "resumed", "done", "error"}.
import fs from 'node:fs'
import tus from 'tus-js-client'

const wanted = JSON.parse(process.argv[2])
const told = { url: null, sent: 0, resumed: false, done: false, error: null }

let over = false

function finish(more) {
  if (over) return // an upload that was broken off may still tell how its last request went
  over = true
  console.log(JSON.stringify({ ...told, url: upload.url, ...more }))
  // Not at once: it still has to let go of the file in which it remembers addresses.
  setTimeout(() => process.exit(0), 500).unref()
}

const upload = new tus.Upload(fs.createReadStream(wanted.file), {
  endpoint: wanted.endpoint,
  metadata: wanted.metadata,
  uploadSize: fs.statSync(wanted.file).size,
  chunkSize: wanted.chunkSize || Number.POSITIVE_INFINITY,
  retryDelays: [0, 200, 400, 800],
  urlStorage: new tus.FileUrlStorage(wanted.urls),
  fingerprint: async () => wanted.metadata.sha256,
  storeFingerprintForResuming: true,
  onProgress: (sent) => {
    told.sent = sent
    if (wanted.stopAt !== undefined && sent >= wanted.stopAt) {
      wanted.stopAt = undefined
      upload.abort(Boolean(wanted.terminate)).then(() => finish({}), (error) => finish({ error: String(error) }))
    }
  },
  onSuccess: () => finish({ done: true }),
  onError: (error) => finish({ error: String(error) }),
})

const earlier = await upload.findPreviousUploads()
if (earlier.length > 0) {
  upload.resumeFromPreviousUpload(earlier[0])
  told.resumed = true
}
upload.start()
