namespace Saltern.Tests.Tokenization;

/// <summary>Two implementations of tokenizer.json that share no code with ours.</summary>
internal static class NodeTokenizers
{
    private static readonly NodePackage JavaScript = new("@huggingface/tokenizers", "0.2.0", "dist/tokenizers.mjs");

    private static readonly NodePackage Rust = new("tokenizers", "0.23.2", "index.js");

    /// <summary>Ids of texts by npm's @huggingface/tokenizers, with what begins and ends a text.</summary>
    public static List<int[]> Encode(string tokenizerPath, IReadOnlyList<string> texts) =>
        JavaScript.Run(
            """
            import { readFileSync, writeFileSync } from "node:fs";
            import { pathToFileURL } from "node:url";
            const [library, textsPath, idsPath, tokenizerPath] = process.argv.slice(2);
            const { Tokenizer } = await import(pathToFileURL(library));
            const tokenizer = new Tokenizer(JSON.parse(readFileSync(tokenizerPath, "utf8")), {});
            const numbers = [];
            for (const text of JSON.parse(readFileSync(textsPath, "utf8"))) {
                const { ids } = tokenizer.encode(text);
                numbers.push(ids.length, ...ids);
            }
            writeFileSync(idsPath, Buffer.from(Int32Array.from(numbers).buffer));
            """,
            texts,
            tokenizerPath
        );

    /// <summary>Ids of texts by Hugging Face's own library, which npm's package tokenizers holds as compiled Rust; of the texts alone.</summary>
    public static List<int[]> EncodeByRust(string tokenizerPath, IReadOnlyList<string> texts) =>
        Rust.Run(
            """
            import { readFileSync, writeFileSync } from "node:fs";
            import { pathToFileURL } from "node:url";
            const [library, textsPath, idsPath, tokenizerPath] = process.argv.slice(2);
            const { default: tokenizers } = await import(pathToFileURL(library));
            const tokenizer = tokenizers.Tokenizer.fromFile(tokenizerPath);
            const numbers = [];
            for (const text of JSON.parse(readFileSync(textsPath, "utf8"))) {
                const ids = (await tokenizer.encode(text, null, { addSpecialTokens: false })).getIds();
                numbers.push(ids.length);
                for (const id of ids) numbers.push(id);
            }
            writeFileSync(idsPath, Buffer.from(Int32Array.from(numbers).buffer));
            """,
            texts,
            tokenizerPath
        );

    /// <summary>The UTF-8 bytes of texts that Hugging Face's own library makes of their ids again.</summary>
    public static List<int[]> RoundTripByRust(string tokenizerPath, IReadOnlyList<string> texts) =>
        Rust.Run(
            """
            import { readFileSync, writeFileSync } from "node:fs";
            import { pathToFileURL } from "node:url";
            const [library, textsPath, idsPath, tokenizerPath] = process.argv.slice(2);
            const { default: tokenizers } = await import(pathToFileURL(library));
            const tokenizer = tokenizers.Tokenizer.fromFile(tokenizerPath);
            const numbers = [];
            for (const text of JSON.parse(readFileSync(textsPath, "utf8"))) {
                const ids = (await tokenizer.encode(text, null, { addSpecialTokens: false })).getIds();
                const bytes = Buffer.from(await tokenizer.decode(ids, false), "utf8");
                numbers.push(bytes.length);
                for (const byte of bytes) numbers.push(byte);
            }
            writeFileSync(idsPath, Buffer.from(Int32Array.from(numbers).buffer));
            """,
            texts,
            tokenizerPath
        );
}
