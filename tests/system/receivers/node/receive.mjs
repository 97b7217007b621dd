// A receiver that verifies with the standardwebhooks library: `receive.mjs 8080 whsec_...`.
//
// Each request becomes one line of output. An event that the library accepts is answered with 204.

import { createServer } from 'node:http';

import { Webhook, WebhookVerificationError } from 'standardwebhooks';

const [port, secret] = process.argv.slice(2);
const webhook = new Webhook(secret);

function isAccepted(body, headers) {
  try {
    webhook.verify(body, headers);
  } catch (error) {
    if (error instanceof WebhookVerificationError) {
      return false;
    }
    throw error;
  }
  return true;
}

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) {
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks).toString('utf8');
  const accepted = isAccepted(body, request.headers);
  const line = {
    accepted,
    accepts_changed_body: isAccepted(`${body} `, request.headers),
    id: request.headers['webhook-id'],
    event: JSON.parse(body),
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
  response.writeHead(accepted ? 204 : 401).end();
});

server.listen(Number(port), '127.0.0.1');
