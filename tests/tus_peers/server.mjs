// @tus/server with its store of files. Arguments: the store's directory, and the port of what answers all but tus: who
// the receiver is, and receipts. Prints the port that it listens on.
import http from 'node:http'
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'

const [directory, behind] = process.argv.slice(2)
const path = '/api/v1/uploads'
const tus = new Server({ path, datastore: new FileStore({ directory }) })

const server = http.createServer((request, response) => {
  if (request.url.startsWith(path) && !request.url.endsWith('/receipt')) {
    tus.handle(request, response)
    return
  }
  const { method, url, headers } = request
  const onward = http.request({ host: '127.0.0.1', port: behind, method, path: url, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers)
    answer.pipe(response)
  })
  onward.on('error', () => response.destroy())
  request.pipe(onward)
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
