// Brings the committed workflows into n8n: imports those that changed, and switches on those that say `"active": true`.
//
// An import switches a workflow off, so what did not change is left alone, and whatever was done to it in n8n stays.
// The one key that this needs is kept in n8n's volume for as long as n8n honours it.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';

const FOLDER = '/workflows';
const HOME = '/home/node/.n8n';
const MARK = `${HOME}/imported-workflows.json`;
const KEY = `${HOME}/ipai-api-key`;
const URL = 'http://n8n:5678';
const SCOPES = ['workflow:list', 'workflow:read', 'workflow:activate'];

const fail = (text) => {
	console.error(text);
	process.exit(1);
};

const keep = (path, text) => {
	writeFileSync(`${path}.new`, text, { mode: 0o600 });
	renameSync(`${path}.new`, path);
};

async function ask(method, path, headers, body) {
	const answer = await fetch(URL + path, {
		method,
		headers: { 'content-type': 'application/json', ...headers },
		body: body && JSON.stringify(body),
		signal: AbortSignal.timeout(30_000),
	});
	const text = await answer.text();
	return { ok: answer.ok, status: answer.status, headers: answer.headers, text, json: () => JSON.parse(text) };
}

async function demand(method, path, headers, body) {
	const answer = await ask(method, path, headers, body);
	return answer.ok ? answer : fail(`${method} ${path} answered ${answer.status}: ${answer.text.slice(0, 300)}`);
}

// A key is shown once, and a second one of the same label is refused: a lost one is removed first.
async function key() {
	const kept = existsSync(KEY) ? readFileSync(KEY, 'utf8').trim() : '';
	if (kept && (await ask('GET', '/api/v1/workflows?limit=1', { 'X-N8N-API-KEY': kept })).ok) return kept;
	const login = { emailOrLdapLoginId: process.env.N8N_OWNER_EMAIL, password: process.env.N8N_OWNER_PASSWORD };
	const cookies = (await demand('POST', '/rest/login', {}, login)).headers.getSetCookie();
	const cookie = cookies.find((text) => text.startsWith('n8n-auth='))?.split(';')[0] ?? fail('n8n gave no session');
	const listed = (await demand('GET', '/rest/api-keys', { cookie })).json().data;
	for (const { id, label } of Array.isArray(listed) ? listed : listed.items ?? []) {
		if (label === 'ipai') await demand('DELETE', `/rest/api-keys/${id}`, { cookie });
	}
	const wanted = { label: 'ipai', expiresAt: null, scopes: SCOPES };
	const made = (await demand('POST', '/rest/api-keys', { cookie }, wanted)).json().data.rawApiKey;
	keep(KEY, made);
	return made;
}

const files = readdirSync(FOLDER).filter((name) => name.endsWith('.json')).sort();
const workflows = files.map((name) => {
	const text = readFileSync(`${FOLDER}/${name}`, 'utf8');
	const { id, active } = JSON.parse(text);
	// Without an id n8n would add a copy at every import.
	if (!id) fail(`${name}: has no id`);
	return { name, id, active, digest: createHash('sha256').update(text).digest('hex') };
});

const imported = existsSync(MARK) ? JSON.parse(readFileSync(MARK, 'utf8')) : {};
for (const { name, id, digest } of workflows.filter((workflow) => imported[workflow.id] !== workflow.digest)) {
	const { status } = spawnSync('n8n', ['import:workflow', `--input=${FOLDER}/${name}`], { stdio: 'inherit' });
	if (status !== 0) fail(`${name}: was not imported`);
	imported[id] = digest;
	keep(MARK, JSON.stringify(imported));
}

const headers = { 'X-N8N-API-KEY': workflows.some((workflow) => workflow.active) ? await key() : '' };
for (const { name, id } of workflows.filter((workflow) => workflow.active)) {
	const path = `/api/v1/workflows/${encodeURIComponent(id)}`;
	const { active } = (await demand('GET', path, headers)).json();
	if (!active) await demand('POST', `${path}/activate`, headers, {});
	console.log(`${name}: ${active ? 'is active' : 'is active now'}`);
}
