// The whole of Coven in one play: npm run demo
//
// Two lanes of a scripted harness work in a small git project. What is printed behind a $ is what was run; it works
// the same by hand, with codex or claude in place of the apprentice.
import { request } from "node:http";
import { stripVTControlCharacters } from "node:util";
import { openStage } from "./stage.mjs";

const isTty = process.stdout.isTTY;
const inColour = (code, text) => (isTty ? `\u001b[${code}m${text}\u001b[0m` : text);
const print = (text) => process.stdout.write(`${isTty ? text : stripVTControlCharacters(text)}\n`);
const indented = (text) => text.trimEnd().replace(/^/gm, "    ");
const short = (id) => id.slice(0, 8);

const stage = openStage();
async function play() {
  stage.makeProject();
  tell(`A COVEN_HOME and a git project of their own, in ${stage.home.replace(/\/home$/, "")}.`);
  print(
    indented(
      `export COVEN_HOME=${stage.home} PATH=$PWD/bin:$PWD/examples:$PATH\ncp examples/adapters/apprentice.json $COVEN_HOME/adapters/\ncd ${stage.project}`,
    ),
  );

  tell("The daemon. Verbs that need it would start it by themselves.");
  await coven(["daemon", "start"], /started/);

  tell("Two lanes. One fixes a test and ends by itself, the other one has a terminal and may ask.");
  const fix = idIn(await coven(["run", "apprentice", "Fix the greeting, its test fails", "--detach"]));
  const tidy = idIn(await coven(["run", "apprentice", "Tidy up", "--mode", "interactive", "--detach"]));
  const { daemon, host } = stage.processes();
  print(indented(`(The daemon, process ${daemon}, decides; the host, process ${host}, owns the lanes.)`));

  tell("Both at work, each followed as it prints.");
  const lines = Promise.all([follow(fix, inColour(32, "fix ")), follow(tidy, inColour(35, "tidy"))]);
  lines.catch(() => undefined); // told where it is awaited

  const question = "[y/N]";
  const asked = await coven(
    ["watch", short(tidy), "--match", question, "--cursor", "0"],
    /Delete the old file too\?/,
  );
  if (!asked.includes(question)) throw new Error(`the watch does not show the question: ${asked}`);

  tell("The tidy lane waits for an answer. It gets one; the other lane was never held up.");
  print(indented("By request it would be:"));
  print(indented(curl(`/sessions/${tidy}/input`, '{"data":"y\\r"}')));
  await coven(["input", short(tidy), "y", "--key", "enter"]);

  const ends = await coven(["watch", short(fix), short(tidy)], /completed/, { quietly: true });
  await lines;
  tell("How both ended. The exit code of watch is theirs.");
  print(`  ${inColour(36, `$ coven watch ${short(fix)} ${short(tidy)}`)}\n${indented(ends)}`);
  if (ends.match(/completed \(exit 0\)/g)?.length !== 2) throw new Error("not both lanes ended well");

  tell("What they printed is kept: as text, as events, as bytes.");
  await coven(["tail", short(tidy), "--lines", "3"], /All tidy/);
  await coven(["events", short(fix), "--tail", "3"], /exit/);
  print(`  ${inColour(36, `$ ${curl(`/sessions/${fix}/output`)}`)}`);
  const output = await get(`/sessions/${fix}/output`);
  if (!output.includes("The test passes.")) throw new Error(`the output of the fix is not there: ${output}`);
  print(indented(`${output.length} bytes, all that the lane printed`));

  tell("And what they did to the project.");
  await command(["git", "diff", "--unified=0"], /\+ {2}return `Hello, \$\{name\}!`/);

  tell("Archived, a session is out of the way; summoned, it is back; sacrificed, it is gone for good.");
  await coven(["archive", short(fix)], /archived/);
  if ((await coven(["sessions"])).includes(short(fix)))
    throw new Error("the archived session is still listed");
  await coven(["summon", short(fix)], /summoned/);
  await coven(["sacrifice", short(fix), "--yes"], /sacrificed/);
  await coven(["sacrifice", short(tidy), "--yes"], /sacrificed/);
  await coven(["sessions", "--all"], /no sessions/);

  tell("The end.");
  await coven(["daemon", "stop"], /stopped/);
  if (!stage.isEmpty()) throw new Error("the daemon or its host still runs");
}

function tell(text) {
  print(`\n${inColour(1, text)}`);
}

const coven = (words, expected, options) => command(["coven", ...words], expected, options);

/** Runs a command and shows it with what it printed. Throws when it fails or does not print what is expected. */
async function command(words, expected = /(?:)/, { quietly = false } = {}) {
  const line = words.map(quoted).join(" ");
  if (!quietly) print(`  ${inColour(36, `$ ${line}`)}`);
  const { code, text } = await stage.run(words);
  if (!quietly && text !== "") print(indented(text));
  if (code !== 0) throw new Error(`${line} ended with ${code}: ${text.trim()}`);
  if (!expected.test(text)) throw new Error(`${line} did not say ${expected}: ${text.trim()}`);
  return text;
}

/** As a shell would have to be given the word. */
const quoted = (word) => (/^[\w./=-]+$/.test(word) ? word : `"${word}"`);

function follow(id, name) {
  print(`  ${inColour(36, `$ coven rejoin ${short(id)}`)}`);
  return stage.follow(["coven", "rejoin", short(id)], (line) => print(`    ${name} │ ${line}`));
}

function idIn(text) {
  const id = text.trim();
  if (/^[0-9a-f-]{36}$/.test(id)) return id;
  throw new Error(`no session id: ${text}`);
}

const curl = (path, body) =>
  [
    "curl --unix-socket $COVEN_HOME/coven.sock",
    ...(body ? [`-d '${body}'`] : []),
    `http://coven/api/v1${path}`,
  ].join(" ");

/** The request that the curl line makes. */
const get = (path) =>
  new Promise((resolve, reject) => {
    const asked = request({ socketPath: `${stage.home}/coven.sock`, path: `/api/v1${path}` }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece) => (text += piece));
      response.once("end", () => resolve(text));
    });
    asked.once("error", reject).end();
  });

try {
  await play();
  print(inColour(1, "\nThat was Coven. Nothing of it is left: no process, no file."));
} catch (error) {
  const { aborted, reason } = stage.left;
  process.exitCode = aborted && reason !== "took too long" ? 130 : 1;
  process.stderr.write(
    aborted ? `\nThe demo was ended: ${reason}\n` : `\nThe demo failed: ${error.message}\n`,
  );
} finally {
  stage.close();
}
