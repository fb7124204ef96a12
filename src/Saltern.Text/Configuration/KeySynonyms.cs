namespace Saltern.Configuration;

/// <summary>What other programs call our keys, for advice on a key that does not exist: those of transformers, TRL, litgpt, nanoGPT, nanochat, Megatron-LM, DeepSpeed and axolotl.</summary>
internal static class KeySynonyms
{
    private static readonly (string Key, string[] Words)[] Table =
    [
        ("optimizer.learning_rate", ["lr", "max_lr", "peak_lr", "base_lr", "matrix_lr"]),
        ("schedule.final_share", ["min_lr", "lr_min", "min_lr_ratio", "final_lr_frac", "lr_min_ratio"]),
        ("optimizer.weight_decay", ["wd", "decay_weight"]),
        ("optimizer.betas", ["adam_beta1", "adam_beta2", "beta_1", "beta2", "beta_2"]),
        ("optimizer.epsilon", ["eps", "adam_eps", "adam_epsilon"]),
        (
            "optimizer.max_gradient_norm",
            ["grad_clip", "clip_grad", "max_grad_norm", "gradient_clipping", "max_norm", "gradient_clip_val"]
        ),
        ("optimizer.kind", ["optim", "optimizer_name", "optimizer_type"]),
        (
            "schedule.kind",
            ["lr_scheduler", "lr_scheduler_type", "scheduler", "lr_decay_style", "lr_schedule", "decay_lr"]
        ),
        (
            "schedule.warmup_steps",
            ["warmup", "warmup_ratio", "num_warmup_steps", "warmup_iters", "lr_warmup_steps", "lr_warmup_iters"]
        ),
        (
            "training.steps",
            [
                "max_steps",
                "num_steps",
                "total_steps",
                "train_steps",
                "max_iters",
                "train_iters",
                "num_iterations",
                "num_train_steps",
            ]
        ),
        (
            "training.batch_sequences",
            [
                "batch_size",
                "train_batch_size",
                "global_batch_size",
                "total_batch_size",
                "per_device_train_batch_size",
                "device_batch_size",
            ]
        ),
        (
            "training.micro_batch_sequences",
            [
                "micro_batch_size",
                "gradient_accumulation_steps",
                "grad_accum",
                "accumulate_grad_batches",
                "grad_accum_steps",
            ]
        ),
        ("training.evaluate_every", ["eval_steps", "eval_interval", "eval_every", "eval_freq"]),
        (
            "training.checkpoint_every",
            ["save_steps", "save_interval", "ckpt_interval", "save_every", "checkpoint_interval"]
        ),
        ("training.log_every", ["logging_steps", "log_interval", "log_freq"]),
        ("training.recompute", ["gradient_checkpointing", "activation_checkpointing", "recompute_granularity"]),
        (
            "data.sequence_length",
            [
                "max_seq_length",
                "max_seq_len",
                "seq_len",
                "seq_length",
                "sequence_len",
                "block_size",
                "context_length",
                "max_length",
                "cutoff_len",
            ]
        ),
        (
            "data.path",
            ["dataset", "datasets", "dataset_path", "data_path", "train_data", "train_data_path", "data_dir"]
        ),
        ("precision", ["dtype", "torch_dtype", "bf16", "fp16", "mixed_precision", "amp"]),
        ("model.num_hidden_layers", ["n_layer", "n_layers", "num_layers", "depth"]),
        ("model.num_attention_heads", ["n_head", "n_heads", "num_heads"]),
        (
            "model.num_key_value_heads",
            ["n_kv_head", "n_kv_heads", "num_kv_heads", "n_query_groups", "num_query_groups"]
        ),
        ("model.hidden_size", ["n_embd", "d_model", "dim", "hidden_dim", "embed_dim"]),
        ("model.intermediate_size", ["d_ff", "ffn_dim", "ffn_hidden_size", "mlp_dim", "n_inner"]),
        ("model.max_position_embeddings", ["n_positions", "max_positions", "n_ctx"]),
        ("teacher.path", ["teacher_model", "teacher_model_name_or_path", "teacher_name"]),
        ("distillation.weight", ["alpha", "kd_weight", "kd_ratio", "omega", "lmbda", "distill_weight", "kd_alpha"]),
        ("teacher.temperature", ["temp", "kd_temperature", "kd_temp"]),
        (
            "init_from",
            ["model_name_or_path", "base_model", "pretrained_model_name_or_path", "load_checkpoint", "model_name"]
        ),
        ("seed", ["random_seed", "manual_seed"]),
        ("name", ["run_name", "exp_name", "experiment_name"]),
    ];

    // What is no key here, and where it is said instead.
    private static readonly Dictionary<string, string> Elsewhere = new(StringComparer.OrdinalIgnoreCase)
    {
        ["num_epochs"] = Epochs,
        ["epochs"] = Epochs,
        ["num_train_epochs"] = Epochs,
        ["max_epochs"] = Epochs,
        ["output_dir"] = "The run's folder is an option: --out FOLDER.",
        ["out_dir"] = "The run's folder is an option: --out FOLDER.",
        ["save_dir"] = "The run's folder is an option: --out FOLDER.",
        ["resume_from_checkpoint"] = "Going on with a run is an option: --resume.",
        ["resume"] = "Going on with a run is an option: --resume.",
        ["dropout"] = "Nothing is dropped in training here. Remove it.",
        ["wandb_project"] =
            "Metrics go to metrics.jsonl and TensorBoard files in the run's folder; 'saltern watch' shows them.",
        ["report_to"] =
            "Metrics go to metrics.jsonl and TensorBoard files in the run's folder; 'saltern watch' shows them.",
    };

    private const string Epochs =
        "Length is told in steps (training.steps = tokens / (training.batch_sequences * data.sequence_length)); "
        + "'saltern plan' says how many epochs they are.";

    private static readonly Dictionary<string, string> Keys = Table
        .SelectMany(entry => entry.Words.Select(word => (word, entry.Key)))
        .ToDictionary(pair => pair.word, pair => pair.Key, StringComparer.OrdinalIgnoreCase);

    /// <summary>Advice on a foreign word; null where it is none, or the key is not in this kind of recipe.</summary>
    /// <param name="word">The key without its section.</param>
    /// <param name="paths">Every key that there is, with its sections.</param>
    public static string? AdviceFor(string word, IEnumerable<string> paths)
    {
        if (Elsewhere.TryGetValue(word, out string? advice))
        {
            return advice;
        }

        if (!Keys.TryGetValue(word, out string? key))
        {
            return null;
        }

        return paths.Contains(key, StringComparer.Ordinal) ? $"Here it is called {key}." : null;
    }

    /// <summary>All words, for the test that each leads to a key that exists.</summary>
    internal static IReadOnlyDictionary<string, string> All => Keys;
}
