// TLS in front of a plain address: connectwise-rest speaks https and nothing else.

import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';

import { generate } from 'selfsigned';

/**
 * Hands every connection of a TLS listener on to `plainUrl`. The certificate is made for this run; Node's own https
 * agent, which the client's axios uses, is told to trust it.
 */
export async function tlsFront(plainUrl) {
  const target = new URL(plainUrl);
  const pem = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
  });
  https.globalAgent.options.ca = pem.cert;
  const server = tls.createServer({ key: pem.private, cert: pem.cert }, (client) => {
    const site = net.connect(Number(target.port), target.hostname);
    client.on('error', () => site.destroy());
    site.on('error', () => client.destroy());
    client.pipe(site).pipe(client);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { host: `127.0.0.1:${server.address().port}`, close: () => server.close() };
}
