using System.Diagnostics;
using System.Text.Json;
using Saltern.Losses;
using Saltern.Models;
using Saltern.Numerics;
using Saltern.Optimization;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Benchmarks;

/// <summary>Parts of a step alone, in this process: peak of products, loss head, attention, optimizer.</summary>
internal static class PartWorkers
{
    /// <summary>Best of interleaved products of 2,048 × 2,048 into a reused buffer.</summary>
    public static int Peak(Options options)
    {
        Prepare(options);
        ScalarType type = options.Text("precision", "fp32") == "bf16" ? ScalarType.BFloat16 : ScalarType.Float32;
        double peak = MatmulPeak.Measure(type, repeats: 8);
        return Print(new { gflops = peak / 1e9, library = MatrixProduct.Library.ToString() });
    }

    /// <summary>Loss head with all its gradients, from hidden states of N = 4,096 positions, D = 256, D′ = 128.</summary>
    public static int Head(Options options)
    {
        Prepare(options);
        string variant = options.Text("variant", "fused");
        bool distils = options.Has("kd");
        const int N = 4_096;
        const int D = 256;
        const int TeacherD = 128;
        const float Weight = 0.667f;
        int vocabulary = options.Number("vocabulary", 32_768);
        int repeats = options.Number("steps", 3);
        using DisposeScope scope = NewDisposeScope();
        manual_seed(1);
        Tensor hidden = randn(N, D);
        Tensor head = randn(vocabulary, D) * 0.05;
        Tensor teacherHidden = randn(N, TeacherD);
        Tensor teacherHead = randn(vocabulary, TeacherD) * 0.05;
        Tensor hiddenGradient = zeros(N, D);
        Tensor headGradient = zeros(vocabulary, D);
        long[] labels = [.. Enumerable.Range(0, N).Select(i => (long)(i * 31 % vocabulary))];
        double before = ResidentMebibytes();
        double loss = 0;
        ProcessMemory.ResetPeak();
        var cpu = new List<double>();
        using LossHead? fused = variant switch
        {
            "naive" => null,
            "tensor" => new TensorLossHead(vocabulary, vocabulary),
            _ => new FusedLossHead(vocabulary, vocabulary, options.Number("threads", 1)),
        };
        var losses = new PositionLosses(N);
        for (int i = 0; i <= repeats; i++)
        {
            using DisposeScope inner = NewDisposeScope();
            double start = CpuMilliseconds();
            if (fused is not null)
            {
                SoftLabels? teacher = distils ? new LiveSoftLabels(teacherHidden, teacherHead, 1) : null;
                fused.Train(
                    new LossRequest
                    {
                        HiddenStates = hidden,
                        Head = head,
                        Labels = labels,
                        Teacher = teacher,
                        Omega = [.. Enumerable.Repeat(Weight, N)],
                    },
                    N,
                    losses,
                    hiddenGradient,
                    headGradient
                );
                loss = losses.Loss.Average(value => (double)value);
            }
            else
            {
                Tensor h = hidden.detach().requires_grad_(true);
                Tensor w = head.detach().requires_grad_(true);
                Tensor logits = nn.functional.linear(h, w);
                Tensor targets = tensor(labels);
                Tensor total = nn.functional.cross_entropy(logits, targets);
                if (distils)
                {
                    Tensor q = nn.functional.softmax(nn.functional.linear(teacherHidden, teacherHead), -1);
                    total =
                        ((1 - Weight) * total)
                        + (Weight * (q * nn.functional.log_softmax(logits, -1)).sum(-1L).mean().neg());
                }

                total.backward();
                loss = total.item<float>();
            }

            cpu.Add(CpuMilliseconds() - start);
        }

        double peak = ProcessMemory.Peak()!.Value / 1048576.0;
        return Print(
            new
            {
                variant,
                distils,
                vocabulary,
                cpu_ms = StepWorker.Median(cpu.Skip(1).ToList()),
                peak_over_base_mb = peak - before,
                loss,
            }
        );
    }

    /// <summary>Attention with rotary positions, forward and backward, for the layers of a shape: ours, libtorch's fused attention, and masked softmax.</summary>
    public static int Attention(Options options)
    {
        Prepare(options);
        Shape shape = Shape.Get(options);
        int repeats = options.Number("steps", 5);
        int layers = shape.Student.NumHiddenLayers;
        int length = shape.Length;
        using DisposeScope scope = NewDisposeScope();
        TransformerConfig c = shape.Student;
        int heads = c.NumAttentionHeads;
        int size = c.HeadDim;
        int rows = shape.Sequences * length;
        var results = new Dictionary<string, double>();
        foreach (string variant in new[] { "kernel", "sdpa", "softmax" })
        {
            var times = new List<double>();
            for (int i = 0; i <= repeats; i++)
            {
                using DisposeScope inner = NewDisposeScope();
                Tensor qkv = randn(rows, 3 * heads * size);
                Tensor gradient = randn(rows, heads * size);
                using var rotary = new RotaryTable(length, c, isLocal: false, ScalarType.Float32, CPU);
                (Tensor cosines, Tensor sines) = rotary.Rows(0, length);
                double start = CpuMilliseconds();
                for (int layer = 0; layer < layers; layer++)
                {
                    if (variant == "kernel")
                    {
                        Kernel(shape, qkv, cosines, sines, gradient, options.Number("threads", 1));
                    }
                    else
                    {
                        Libtorch(shape, qkv, cosines, sines, gradient, variant == "sdpa");
                    }
                }

                times.Add(CpuMilliseconds() - start);
            }

            results[variant] = StepWorker.Median(times.Skip(1).ToList());
        }

        return Print(
            new
            {
                shape = shape.Name,
                length,
                layers,
                kernel_ms = results["kernel"],
                sdpa_ms = results["sdpa"],
                softmax_ms = results["softmax"],
            }
        );
    }

    /// <summary>AdamW with clipping: ours and TorchSharp's, on the weights of a shape.</summary>
    public static int Optimizer(Options options)
    {
        Prepare(options);
        int threads = options.Number("threads", 1);
        int repeats = options.Number("steps", 20);
        Shape shape = Shape.Get(options);
        using var model = new Transformer(shape.Student, trainable: true);
        model.Initialize(1);
        using (DisposeScope scope = NewDisposeScope())
        {
            model.Parameters.FlatGradients.copy_(randn_like(model.Parameters.FlatWeights) * 0.01);
        }

        using var own = new AdamW(model.Parameters, new OptimizerConfig { LearningRate = 1e-4 }, threads);
        TorchSharp.Modules.Parameter[] weights =
        [
            .. model.Parameters.Layout.Slices.Select(slice =>
            {
                using Tensor weight = model.Parameters.Weight(slice);
                using Tensor gradient = model.Parameters.FlatGradients.narrow(0, slice.Offset, slice.Count);
                var parameter = new TorchSharp.Modules.Parameter(weight.detach().clone(), requires_grad: true);
                parameter.grad = gradient.clone().view(slice.Shape);
                return parameter;
            }),
        ];
        using optim.Optimizer torchs = optim.AdamW(weights, lr: 1e-4, beta1: 0.9, beta2: 0.95, weight_decay: 0.1);
        List<double> ours = [];
        List<double> theirs = [];
        for (int i = 0; i <= repeats; i++)
        {
            double start = CpuMilliseconds();
            own.Update(1e-4, own.GradientNorm());
            double middle = CpuMilliseconds();
            using (NewDisposeScope())
            {
                nn.utils.clip_grad_norm_(weights, 1.0);
                torchs.step();
            }

            ours.Add(middle - start);
            theirs.Add(CpuMilliseconds() - middle);
        }

        return Print(
            new
            {
                shape = shape.Name,
                parameters = ModelFlops.Parameters(shape.Student),
                own_ms = StepWorker.Median(ours.Skip(1).ToList()),
                torchsharp_ms = StepWorker.Median(theirs.Skip(1).ToList()),
            }
        );
    }

    /// <summary>Keeps one core busy until it is killed: the neighbour on a shared machine.</summary>
    public static int Spin()
    {
        double x = 1;
        while (true)
        {
            x = Math.Sqrt(x + 1);
        }
    }

    private static unsafe void Kernel(
        Shape shape,
        Tensor qkv,
        Tensor cosines,
        Tensor sines,
        Tensor gradient,
        int threads
    )
    {
        using DisposeScope scope = NewDisposeScope();
        TransformerConfig c = shape.Student;
        var sizes = new AttentionShape(
            shape.Sequences,
            shape.Length,
            c.NumAttentionHeads,
            c.NumAttentionHeads,
            c.HeadDim,
            c.HeadDim
        );
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = threads };
        Tensor mixed = empty_like(gradient);
        Tensor logSums = empty(qkv.shape[0], c.NumAttentionHeads);
        Tensor back = empty_like(qkv);
        static float* At(Tensor tensor) => (float*)TensorAddress.Of(tensor);
        AttentionKernel.Forward(sizes, At(qkv), At(cosines), At(sines), null, null, At(mixed), At(logSums), parallel);
        AttentionKernel.Backward(
            sizes,
            At(qkv),
            At(cosines),
            At(sines),
            null,
            null,
            At(mixed),
            At(logSums),
            At(gradient),
            At(back),
            parallel
        );
    }

    private static void Libtorch(Shape shape, Tensor qkv, Tensor cosines, Tensor sines, Tensor gradient, bool fused)
    {
        using DisposeScope scope = NewDisposeScope();
        int heads = shape.Student.NumAttentionHeads;
        int size = shape.Student.HeadDim;
        int length = shape.Length;
        Tensor input = qkv.detach().requires_grad_(true);
        Tensor split = input.view(shape.Sequences, length, 3 * heads, size);
        Tensor q = TensorMath.Rotate(split.narrow(2, 0, heads), cosines, sines).transpose(1, 2);
        Tensor k = TensorMath.Rotate(split.narrow(2, heads, heads), cosines, sines).transpose(1, 2);
        Tensor v = split.narrow(2, 2 * heads, heads).transpose(1, 2);
        Tensor mixed;
        if (fused)
        {
            mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_casual: true);
        }
        else
        {
            Tensor mask = ones(length, length, ScalarType.Bool).triu(1);
            mixed = nn
                .functional.softmax(
                    (q.matmul(k.transpose(2, 3)) / Math.Sqrt(size)).masked_fill(mask, double.NegativeInfinity),
                    -1
                )
                .matmul(v);
        }

        mixed.transpose(1, 2).reshape(shape.Sequences * length, heads * size).backward([gradient]);
    }

    private static void Prepare(Options options)
    {
        NativeRuntime.Configure(tuneAllocator: !options.Has("default-malloc"));
        set_num_threads(options.Number("threads", 1));
        MatrixProduct.Use(
            options.Text("library", "fastest") switch
            {
                "blas" => ProductLibrary.Blas,
                "onednn" => ProductLibrary.OneDnn,
                _ => MatrixProduct.Fastest(),
            }
        );
    }

    private static double CpuMilliseconds() => Environment.CpuUsage.TotalTime.TotalMilliseconds;

    private static double ResidentMebibytes()
    {
        using Process process = Process.GetCurrentProcess();
        return process.WorkingSet64 / 1048576.0;
    }

    private static int Print(object line)
    {
        Console.WriteLine(JsonSerializer.Serialize(line));
        return 0;
    }
}
