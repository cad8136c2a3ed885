// Starts n8n's JavaScript runner as the official launcher does: trades the shared token for a grant, hands the grant to
// the runner, and begins again whenever the runner ends. The Python runner is in no package registry and left out.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

const { N8N_RUNNERS_TASK_BROKER_URI: broker = 'http://127.0.0.1:5679', N8N_RUNNERS_AUTH_TOKEN: token, ...rest } = process.env;
const START = '/opt/n8n/node_modules/@n8n/task-runner/dist/start.js';

let runner;
for (const signal of ['SIGTERM', 'SIGINT']) {
	process.on(signal, () => {
		runner?.kill('SIGTERM');
		setTimeout(() => process.exit(0), 2000);
	});
}

async function grant() {
	const response = await fetch(`${broker}/runners/auth`, {
		method: 'POST',
		headers: { 'content-type': 'application/json' },
		body: JSON.stringify({ token }),
		signal: AbortSignal.timeout(10_000),
	});
	if (!response.ok) throw new Error(`the broker answered ${response.status}`);
	return (await response.json()).data.token;
}

for (;;) {
	try {
		const env = { ...rest, N8N_RUNNERS_TASK_BROKER_URI: broker, N8N_RUNNERS_GRANT_TOKEN: await grant() };
		console.log('launcher (of the ipai lab): the broker let us in, the JavaScript runner starts');
		runner = spawn(process.execPath, ['--disallow-code-generation-from-strings', '--disable-proto=delete', START], { env, stdio: 'inherit' });
		const [code] = await once(runner, 'exit');
		console.log(`launcher: the runner ended with ${code}`);
	} catch (error) {
		console.error(`launcher: ${error.message}`);
	}
	await sleep(3000);
}
