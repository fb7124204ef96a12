// Runs GGUF files in llama.cpp (node-llama-cpp) and reads them with @huggingface/gguf. usage: gguf_runtime.mjs NODE_MODULES JOBS RESULTS
// JOBS: [{ model, texts: [text], prompts: [[id]], greedy: tokens to add to each prompt, context }]; RESULTS: what both saw of each, in order.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, jobsPath, resultsPath] = process.argv.slice(2);
const load = (file) => import(pathToFileURL(join(modules, file)));
const { getLlama, LlamaLogLevel } = await load("node-llama-cpp/dist/index.js");
const { gguf } = await load("@huggingface/gguf/dist/index.mjs");
const llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: 1 });

async function run(job) {
    const { metadata, tensorInfos } = await gguf(job.model, { allowLocalFile: true });
    const header = {
        architecture: metadata["general.architecture"],
        tokens: metadata["tokenizer.ggml.tokens"].length,
        tensors: tensorInfos.map(({ name, shape, dtype }) => ({ name, shape: shape.map(Number), type: dtype })),
    };

    const model = await llama.loadModel({ modelPath: job.model });
    const ids = job.texts.map((text) => [...model.tokenize(text)]);
    const specialIds = job.texts.map((text) => [...model.tokenize(text, true)]);

    // Keys and values in float32, every token in the draw: what is compared is the arithmetic, not a sampler's or a cache's rounding.
    const context = job.prompts.length === 0 ? null : await model.createContext({ contextSize: job.context, experimentalKvCacheKeyType: "F32", experimentalKvCacheValueType: "F32", flashAttention: false });
    const sequence = context?.getSequence();
    const probabilities = [], continuations = [];
    for (const prompt of job.prompts) {
        await sequence.clearHistory();
        const all = { temperature: 1, topK: 0, topP: 1, minP: 0, yieldEogToken: true }; // a drawn end of text must not end the reading
        const { value } = await sequence.evaluateWithMetadata(prompt, { probabilities: true }, all).next();
        probabilities.push(Array.from({ length: header.tokens }, (_, id) => value.probabilities.get(id) ?? 0));
        await sequence.clearHistory();
        const added = [];
        for await (const token of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
            added.push(token);
            if (added.length >= job.greedy) break;
        }
        continuations.push(added);
    }

    await context?.dispose();
    const result = {
        header, ids, specialIds, probabilities, continuations,
        texts: continuations.map((tokens) => model.detokenize(tokens)),
        begin: model.tokens.bos, end: model.tokens.eos, addsBegin: model.tokens.shouldPrependBosToken, trainContext: model.trainContextSize,
    };
    await model.dispose();
    return result;
}

const results = [];
for (const job of JSON.parse(readFileSync(jobsPath, "utf8"))) {
    results.push(await run(job));
}

writeFileSync(resultsPath, JSON.stringify(results));
process.exit(0);
