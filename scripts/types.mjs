// Writes the types of the package's entry into dist/types. What is made from zod schemas is written out, with what the
// schemas say of each argument, so that whoever compiles against it needs none of the packages inside.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { format, resolveConfig } from "prettier";
import ts from "typescript";
import { exportsOf } from "./exports-of.mjs";

const entry = resolve("src/index.ts");
/** Module → its types that are written out; every other module is declared as the compiler does it. */
const writtenOut = new Map([
  ["capabilities/registry.ts", ["Actions"]],
  ["events.ts", ["EventKind", "EventPayloads", "EventRecord", "SessionStatus"]],
]);

const config = ts.readConfigFile("tsconfig.json", ts.sys.readFile).config;
const { options } = ts.parseJsonConfigFileContent({ ...config, files: [entry], include: [] }, ts.sys, ".");
const program = ts.createProgram([entry], {
  ...options,
  noEmit: false,
  declaration: true,
  emitDeclarationOnly: true,
  stripInternal: true,
});
const checker = program.getTypeChecker();
const printer = ts.createPrinter();
const style = { ...(await resolveConfig("package.json")), parser: "typescript" };
const { capabilities } = await exportsOf(`export { capabilities } from "./src/capabilities/registry.ts";`);

rmSync("dist/types", { recursive: true, force: true });
const written = new Set();
await write(entry);

/** A module's declarations, and those of the modules that they name. */
async function write(file) {
  const name = relative("src", file);
  if (written.has(name)) return;
  written.add(name);
  const source = program.getSourceFile(file);
  const types = writtenOut.get(name);
  const text =
    types === undefined ? declarationsOf(source) : types.map((type) => writeOut(source, type)).join("\n");
  const others = [...text.matchAll(/from "(\.[^"]+)\.ts"/g)].map(([, other]) =>
    resolve(dirname(file), `${other}.ts`),
  );
  const target = join("dist/types", name.replace(/\.ts$/, ".d.ts"));
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, await format(text.replaceAll(/from "(\.[^"]+)\.ts"/g, 'from "$1.js"'), style));
  for (const other of others) await write(other);
}

function declarationsOf(source) {
  let text = "";
  program.emit(source, (_, declarations) => (text = declarations), undefined, true);
  return text;
}

function writeOut(source, name) {
  const symbol = checker
    .getExportsOfModule(checker.getSymbolAtLocation(source))
    .find((each) => each.name === name);
  const [declaration] = symbol.declarations;
  if (ts.isInterfaceDeclaration(declaration)) return `${declaration.getText(source)}\n`;
  const { NoTruncation, InTypeAlias, MultilineObjectLiterals } = ts.NodeBuilderFlags;
  const flags = NoTruncation | InTypeAlias | MultilineObjectLiterals;
  const node = checker.typeToTypeNode(checker.getDeclaredTypeOfSymbol(symbol), declaration, flags);
  if (name === "Actions") describe(node);
  const alias = ts.factory.createTypeAliasDeclaration(
    [ts.factory.createModifier(ts.SyntaxKind.ExportKeyword)],
    name,
    undefined,
    node,
  );
  return `${printer.printNode(ts.EmitHint.Unspecified, alias, source)}\n`;
}

/** What the table says of each action, and of each of its arguments. */
function describe(actions) {
  for (const action of actions.members) {
    const { summary, input } = capabilities.get(action.name.text);
    comment(action, summary);
    for (const argument of memberNamed(action, "input").type.members ?? [])
      comment(argument, describedIn(input.shape[argument.name.text]));
  }
}

/** What is optional may have been described before that was said. */
function describedIn(schema) {
  return schema.description ?? schema.unwrap?.().description;
}

function memberNamed({ type }, name) {
  return type.members.find((member) => member.name.text === name);
}

function comment(node, text) {
  if (text === undefined) return;
  const body = `* ${text.replaceAll("*/", "* /")} `;
  ts.addSyntheticLeadingComment(node, ts.SyntaxKind.MultiLineCommentTrivia, body, true);
}
