// Runs calls of UCloud's JavaScript SDK, unchanged: standard input is a JSON array of {"call", "with"}; the output is a
// JSON array of what the SDK made of each answer.
const { Client, Request } = require('@ucloud-sdks/ucloud-sdk-js');

async function main() {
  const client = new Client({
    config: { baseUrl: process.env.HUB_URL, region: 'cn-bj2', projectId: process.env.HUB_PROJECT },
    credential: { publicKey: process.env.HUB_PUBLIC_KEY, privateKey: process.env.HUB_PRIVATE_KEY },
  });
  let text = '';
  for await (const piece of process.stdin) text += piece;
  const told = [];
  for (const one of JSON.parse(text)) {
    try {
      const answer = one.call.startsWith('uaccount.')
        ? await client.uaccount()[one.call.slice('uaccount.'.length)](one.with)
        : await client.invoke(new Request({ Action: one.call, ...one.with }));
      told.push({ answer: answer.toObject ? answer.toObject() : answer, requestId: answer.requestId });
    } catch (fault) {
      told.push({ error: { retCode: fault.retCode, message: fault.message, requestId: fault.requestId } });
    }
  }
  console.log(`\n${JSON.stringify(told)}`);
}

main();
