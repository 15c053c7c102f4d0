import { createConnection, createServer } from 'node:net';

/**
 * `http-relay.ts SOCKET PORT`: runs in a network namespace and leads from a unix socket, which every namespace can
 * reach, to a port on the loopback there. When nobody listens it says so: then the request was never sent.
 */
const [, , socketPath, port] = process.argv;

const NOT_SENT = 'HTTP/1.1 502 Not Sent\r\ncontent-length: 0\r\nconnection: close\r\n\r\n';

createServer({ allowHalfOpen: true }, (client) => {
  const node = createConnection({ host: '127.0.0.1', port: Number(port), allowHalfOpen: true });
  let connected = false;
  node.once('connect', () => {
    connected = true;
    client.pipe(node);
    node.pipe(client);
  });
  node.on('error', () => (connected ? client.destroy() : client.end(NOT_SENT)));
  client.on('error', () => node.destroy());
  node.on('close', () => connected && client.destroy());
  client.on('close', () => node.destroy());
}).listen(socketPath);
