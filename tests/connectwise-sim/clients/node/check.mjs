// connectwise-rest against the simulator: `check.mjs http://127.0.0.1:8040`.

import { isDeepStrictEqual } from 'node:util';

import { ManageAPI } from 'connectwise-rest';

import { tlsFront } from './tls_front.mjs';

const KEYS = {
  companyId: 'tbdemo',
  clientId: '6f1d7c1e-3b52-4f5a-9c0e-2a8d5b7e4f10',
  publicKey: 'tbPublicKey01',
  privateKey: 'tbPrivateKey01',
};

let passed = 0;

function equal(what, found, expected) {
  if (!isDeepStrictEqual(found, expected)) {
    throw new Error(`${what}: ${JSON.stringify(found)} is not ${JSON.stringify(expected)}`);
  }
  passed += 1;
}

/** The client's own error: `{ status, data, message }`, with ConnectWise's words in `data`. */
async function fails(what, call, status, words) {
  const error = await call().then(
    () => undefined,
    (error) => error,
  );
  equal(what, [error?.status, Object.keys(error ?? {})], [status, ['status', 'data', 'message']]);
  if (!JSON.stringify(error.data).includes(words)) {
    throw new Error(`${what}: ${JSON.stringify(error.data)}`);
  }
}

async function control(site, method, path, body) {
  const answer = await fetch(`${site}/_sim/${path}`, { method, body: body && JSON.stringify(body) });
  if (!answer.ok) {
    throw new Error(`${method} ${path}: ${answer.status}`);
  }
}

async function main(site) {
  await control(site, 'POST', 'reset');
  const front = await tlsFront(site);
  const options = { ...KEYS, companyUrl: front.host, logger: () => {} };
  const cwm = new ManageAPI(options);
  try {
    await discover(site, cwm);
    await read(cwm);
    await write(cwm);
    await page(cwm);
    await setUp(cwm);
    await refusals(site, cwm, new ManageAPI({ ...options, privateKey: 'wrong' }));
  } finally {
    front.close();
  }
  await control(site, 'POST', 'reset');
  console.log(`${passed} checks passed`);
}

async function discover(site, cwm) {
  // The client leaves the discovery of the codebase to its caller.
  const company = await (await fetch(`${site}/login/companyinfo/${KEYS.companyId}`)).json();
  equal('codebase', [company.Codebase, company.CompanyID], ['v4_6_release/', 'tbdemo']);
  equal('the entry point is the codebase', `${cwm.config.entryPoint}/`, company.Codebase);
  equal('an unknown login company', await (await fetch(`${site}/login/companyinfo/unknown`)).json(), null);
  const info = await cwm.SystemAPI.getSystemInfo();
  equal('system info', [info.version.slice(0, 7), info.isCloud], ['v2025.1', true]);
  equal('myself', (await cwm.SystemAPI.getSystemMyMembers()).identifier, 'Ticketbridge');
}

async function read(cwm) {
  const { CompanyAPI, ServiceAPI, SystemAPI } = cwm;
  const cedar = await CompanyAPI.getCompanyCompanies({ conditions: 'deletedFlag=false AND name contains "cedar"' });
  equal('a company by its name', cedar.map((row) => [row.id, row.status.name]), [[303, 'Active']]);
  const ordered = await CompanyAPI.getCompanyCompanies({ orderBy: 'name desc', fields: 'name', pageSize: 1 });
  equal('orderBy and fields', ordered, [{ name: 'Northwind Managed IT' }]);
  equal('count', await CompanyAPI.getCompanyCompaniesCount({ conditions: 'status/id=1' }), { count: 7 });
  equal('one company', (await CompanyAPI.getCompanyCompaniesById(306)).name, 'Café Élan');
  const closed = await ServiceAPI.getServiceBoardsByParentIdStatuses(21, { conditions: 'closedStatus = true' });
  equal('closed statuses', closed.map((row) => row.name), ['>Closed']);
  equal('types', (await ServiceAPI.getServiceBoardsByParentIdTypes(22)).length, 7);
  equal('light boards', (await ServiceAPI.getServiceInfoBoards())[1].name, 'Operations');
  equal('priorities', (await ServiceAPI.getServicePriorities({ conditions: 'defaultFlag=true' }))[0].id, 33);
  const mine = await SystemAPI.getSystemMySecurity({ conditions: 'moduleFunctionName="Table Setup"' });
  equal('rights', mine.map((row) => [row.moduleName, row.inquireLevel]), [['System', 'All']]);
}

async function write({ ServiceAPI }) {
  const made = await ServiceAPI.postServiceTickets({
    summary: 'CPU at 100 %',
    company: { identifier: 'AcmeDental' },
    board: { name: 'Operations' },
    type: { name: 'CPU' },
    externalXRef: 'tb1-node',
    initialDescription: 'first line',
  });
  equal('references come back expanded', [made.company.name, made.status.name, made.type.name], ['Acme Dental Group', 'New', 'CPU']);
  equal('the description is not returned', 'initialDescription' in made, false);
  const found = await ServiceAPI.getServiceTickets({ conditions: "externalXRef='tb1-node' and closedFlag=false" });
  equal('by its token', found.map((row) => row.id), [made.id]);
  equal('search', (await ServiceAPI.postServiceTicketsSearch({ conditions: 'company/id=301' })).length, 1);
  const note = await ServiceAPI.postServiceTicketsByParentIdNotes(made.id, { text: 'looked at', internalAnalysisFlag: true });
  equal('the note', [note.ticketId, note.internalFlag], [made.id, true]);
  const notes = await ServiceAPI.getServiceTicketsByParentIdNotes(made.id, {});
  equal('all notes', notes.map((row) => row.text), ['first line', 'looked at']);
  const closed = await ServiceAPI.patchServiceTicketsById(made.id, [
    { op: 'replace', path: 'summary', value: 'CPU at 50 %' },
    { op: 'replace', path: 'status/name', value: '>Closed' },
  ]);
  equal('patched', [closed.summary, closed.closedFlag], ['CPU at 50 %', true]);
  const replaced = await ServiceAPI.putServiceTicketsById(made.id, { summary: 'all new', company: { id: 303 } });
  equal('put', [replaced.company.id, replaced.externalXRef], [303, undefined]);
  await ServiceAPI.deleteServiceTicketsById(made.id);
  equal('deleted', await ServiceAPI.getServiceTicketsCount({}), { count: 0 });
}

async function page(cwm) {
  const made = [];
  for (let n = 0; n < 25; n += 1) {
    made.push((await cwm.ServiceAPI.postServiceTickets({ summary: `page ${n}`, company: { id: 301 } })).id);
  }
  const conditions = { conditions: 'summary like "page %"', orderBy: 'id asc' };
  const rows = await cwm.paginate(cwm.ServiceAPI.getServiceTickets.bind(cwm.ServiceAPI), { pageSize: 10 }, conditions);
  equal('every row once', rows.map((row) => row.id), made);
  const late = { pageSize: 10, startPage: 3 };
  const last = await cwm.paginate(cwm.ServiceAPI.getServiceTickets.bind(cwm.ServiceAPI), late, conditions);
  equal('the last page', last.map((row) => row.id), made.slice(20));
}

async function setUp({ ServiceAPI }) {
  const board = await ServiceAPI.postServiceBoards({ name: 'Cyber', location: { id: 2 }, department: { id: 10 } });
  equal('a board', [board.name, board.location.name], ['Cyber', 'Springfield']);
  const status = await ServiceAPI.postServiceBoardsByParentIdStatuses(board.id, { name: 'Closed', closedStatus: true });
  equal('a status', [status.closedStatus, status.board.id], [true, board.id]);
  const team = { name: 'Night', teamLeader: { identifier: 'TSmith' } };
  equal('a team', (await ServiceAPI.postServiceBoardsByParentIdTeams(board.id, team)).boardId, board.id);
  await ServiceAPI.deleteServiceBoardsById(board.id);
  await fails('a deleted board', () => ServiceAPI.getServiceBoardsById(board.id), 404, `Board ${board.id} not found`);
}

async function refusals(site, { ServiceAPI }, wrong) {
  const good = { summary: 'x', company: { id: 301 } };
  const post = (change) => () => ServiceAPI.postServiceTickets({ ...good, ...change });
  await fails('a summary that is too long', post({ summary: 'x'.repeat(101) }), 400, 'MaxLengthField');
  await fails('no company', post({ company: undefined }), 400, 'The company/id field is required.');
  await fails('a missing company', post({ company: { id: 999999 } }), 400, 'Company 999999 not found');
  await fails('a status of another board', post({ status: { id: 221 } }), 400, 'Service Status 221 not found for Service Board 21');
  await fails('a misspelt member', post({ sumary: 'x' }), 400, "Could not find member 'sumary'");
  await fails('an unknown ticket', () => ServiceAPI.getServiceTicketsById(1255787), 404, 'Ticket 1255787 not found');
  await fails('a misspelt condition', () => ServiceAPI.getServiceTickets({ conditions: 'colour="red"' }), 400, 'ApiFindCondition');
  const taken = { name: 'Operations', location: { id: 2 }, department: { id: 10 } };
  await fails('a name that is taken', () => ServiceAPI.postServiceBoards(taken), 400, 'ObjectExists');
  await fails('wrong keys', () => wrong.ServiceAPI.getServiceTickets({}), 401, 'authentication is incorrect');
  await control(site, 'PUT', 'faults', { missing_rights: ['service_tickets.add'] });
  await fails('a missing right', post({}), 403, 'security permission');
  await control(site, 'PUT', 'faults', { missing_rights: [], rate_limit_per_minute: 1 });
  await ServiceAPI.getServiceTicketsCount({});
  await fails('too many calls', () => ServiceAPI.getServiceTicketsCount({}), 429, 'Too many requests');
}

main(process.argv[2].replace(/\/$/, '')).catch((error) => {
  console.error('FAILED', error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
