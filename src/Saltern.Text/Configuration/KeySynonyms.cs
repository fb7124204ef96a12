namespace Saltern.Configuration;

/// <summary>What other programs call our keys, for advice on a key that does not exist: those of transformers, TRL, litgpt, nanoGPT, nanochat, Megatron-LM, DeepSpeed and axolotl.</summary>
internal static class KeySynonyms
{
    private static readonly (string Key, string[] Words)[] Table =
    [
        (
            "optimizer.learning_rate",
            ["lr", "max_lr", "peak_lr", "base_lr", "init_lr", "matrix_lr", "learning_rate_max"]
        ),
        (
            "schedule.final_share",
            ["min_lr", "lr_min", "min_lr_ratio", "min_lr_rate", "final_lr_frac", "lr_min_ratio", "eta_min"]
        ),
        ("optimizer.weight_decay", ["wd", "decay_weight", "l2", "weight_decay_rate"]),
        ("optimizer.betas", ["adam_beta1", "adam_beta2", "adam_betas", "beta_1", "beta2", "beta_2"]),
        ("optimizer.epsilon", ["eps", "adam_eps", "adam_epsilon"]),
        (
            "optimizer.max_gradient_norm",
            [
                "grad_clip",
                "clip_grad",
                "max_grad_norm",
                "gradient_clipping",
                "max_norm",
                "gradient_clip_val",
                "gradient_clip",
                "clip_norm",
            ]
        ),
        ("optimizer.kind", ["optim", "optimizer_name", "optimizer_type"]),
        (
            "schedule.kind",
            ["lr_scheduler", "lr_scheduler_type", "scheduler", "lr_decay_style", "lr_schedule", "decay_lr"]
        ),
        (
            "schedule.warmup_steps",
            [
                "warmup",
                "warmup_ratio",
                "warmup_fraction",
                "warmup_proportion",
                "warm_up_steps",
                "num_warmup_steps",
                "warmup_iters",
                "lr_warmup_steps",
                "lr_warmup_iters",
                "lr_warmup_fraction",
            ]
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
                "num_training_steps",
                "max_train_steps",
                "n_steps",
                "iterations",
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
                "per_device_batch_size",
                "bs",
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
                "accumulation_steps",
                "gradient_accumulation",
                "train_micro_batch_size_per_gpu",
            ]
        ),
        (
            "training.evaluate_every",
            ["eval_steps", "eval_interval", "eval_every", "eval_freq", "val_interval", "validate_every"]
        ),
        ("training.evaluation_tokens", ["eval_iters", "eval_tokens", "eval_batches", "val_batches"]),
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
                "seqlen",
                "context_len",
                "context_size",
                "model_max_length",
            ]
        ),
        (
            "data.path",
            ["dataset", "datasets", "dataset_path", "data_path", "train_data", "train_data_path", "data_dir"]
        ),
        ("precision", ["dtype", "torch_dtype", "bf16", "fp16", "bfloat16", "mixed_precision", "amp", "compute_dtype"]),
        ("model.num_hidden_layers", ["n_layer", "n_layers", "num_layers", "n_blocks", "depth"]),
        ("model.num_attention_heads", ["n_head", "n_heads", "num_heads"]),
        (
            "model.num_key_value_heads",
            ["n_kv_head", "n_kv_heads", "num_kv_heads", "n_query_groups", "num_query_groups"]
        ),
        (
            "model.hidden_size",
            ["n_embd", "n_embed", "d_model", "dim", "hidden_dim", "embed_dim", "embedding_dim", "emb_dim"]
        ),
        ("model.intermediate_size", ["d_ff", "ffn_dim", "ffn_hidden_size", "mlp_dim", "n_inner"]),
        ("model.max_position_embeddings", ["n_positions", "max_positions", "n_ctx"]),
        ("model.rope_theta", ["rope_base", "rotary_base", "rotary_emb_base"]),
        ("model.tie_word_embeddings", ["tie_weights", "tie_embeddings", "weight_tying", "tied_embeddings"]),
        (
            "teacher.path",
            ["teacher_model", "teacher_model_name_or_path", "teacher_name", "teacher_path", "teacher_checkpoint"]
        ),
        ("distillation.weight", ["alpha", "kd_weight", "kd_ratio", "omega", "lmbda", "distill_weight", "kd_alpha"]),
        ("teacher.temperature", ["temp", "kd_temperature", "kd_temp"]),
        (
            "init_from",
            ["model_name_or_path", "base_model", "pretrained_model_name_or_path", "load_checkpoint", "model_name"]
        ),
        ("averaging.decay", ["ema_decay", "ema"]),
        ("lora.rank", ["r", "lora_r", "lora_rank", "lora_dim"]),
        ("lora.alpha", ["lora_alpha"]),
        ("lora.targets", ["target_modules", "lora_target_modules", "lora_target"]),
        ("device", ["accelerator", "use_cuda"]),
        ("threads", ["num_threads", "n_threads"]),
        ("seed", ["random_seed", "manual_seed", "rng_seed"]),
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
        ["dropout"] = Dropout,
        ["attention_dropout"] = Dropout,
        ["hidden_dropout"] = Dropout,
        ["lora_dropout"] = Dropout,
        ["wandb_project"] = Logging,
        ["wandb"] = Logging,
        ["use_wandb"] = Logging,
        ["logging_dir"] = Logging,
        ["log_dir"] = Logging,
        ["report_to"] = Logging,
        ["world_size"] = Ranks,
        ["nproc_per_node"] = Ranks,
        ["num_gpus"] = Ranks,
        ["fsdp"] = Ranks,
        ["deepspeed"] = Ranks,
        ["compile"] = Kernels,
        ["torch_compile"] = Kernels,
        ["flash_attention"] = Kernels,
        ["attn_implementation"] = Kernels,
        ["num_workers"] = "Batches are read ahead by themselves. Remove it.",
        ["dataloader_num_workers"] = "Batches are read ahead by themselves. Remove it.",
    };

    private const string Dropout = "Nothing is dropped in training here. Remove it.";

    private const string Logging =
        "Metrics go to metrics.jsonl and a TensorBoard file in the run's folder, and to OpenTelemetry where the "
        + "environment says so; 'saltern watch' shows them.";

    private const string Ranks =
        "Several processes are started by MPI: mpirun -np N saltern train RECIPE (docs/cluster.md).";

    private const string Kernels =
        "There is nothing to choose: kernels are our own, and attention is computed in blocks. Remove it.";

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
