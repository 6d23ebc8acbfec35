// A js-libp2p node: it echoes /test/1, prints where it is, and says hello to the address
// that it is given on a line of its own.
import { createInterface } from 'node:readline'
import { createLibp2p } from 'libp2p'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { tls } from '@libp2p/tls'
import { identify } from '@libp2p/identify'
import { multiaddr } from '@multiformats/multiaddr'

// Node before 22 lacks it, and js-libp2p needs it.
Promise.withResolvers ??= () => {
  let resolve, reject
  return { promise: new Promise((a, b) => { resolve = a; reject = b }), resolve, reject }
}

const node = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()], streamMuxers: [yamux()], connectionEncrypters: [tls()],
  services: { identify: identify() }
})
const bytes = (chunk) => chunk.subarray()
await node.handle('/test/1', async (stream) => {
  for await (const chunk of stream) stream.send(bytes(chunk))
  await stream.close()
})
console.log(node.getMultiaddrs()[0].toString())
for await (const line of createInterface({ input: process.stdin })) {
  try {
    const stream = await node.dialProtocol(multiaddr(line), '/test/1')
    stream.send(new TextEncoder().encode('hello from js'))
    await stream.close()
    let got = ''
    for await (const chunk of stream) got += new TextDecoder().decode(bytes(chunk))
    console.log('answer ' + got)
  } catch (err) {
    console.log('error ' + err.message)
  }
}
await node.stop()
