// Renders a chat template by @huggingface/jinja, which shares no code with ours: node_modules, template file, messages as JSON, whether a reply is asked for, file for the text.
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [packages, template, messages, generate, out] = process.argv.slice(2);
const require = createRequire(join(packages, "x.js"));
const { Template } = await import(pathToFileURL(require.resolve("@huggingface/jinja")));
const text = new Template(readFileSync(template, "utf8")).render({
  messages: JSON.parse(readFileSync(messages, "utf8")),
  add_generation_prompt: generate === "true",
});
writeFileSync(out, text);
