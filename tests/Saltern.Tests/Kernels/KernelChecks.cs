using Saltern.Losses;
using Saltern.Optimization;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Tests.Kernels;

/// <summary>Each kernel against its formula in float64, or against what the processor's kernels are: on whatever machine runs it, in float32 or bfloat16.</summary>
/// <param name="bfloat16">Whether <c>real</c> is bfloat16, as the machine was made for.</param>
internal sealed class KernelChecks(IKernelMachine machine, bool bfloat16)
{
    private const int Group = IKernelMachine.Group;

    // Of a number near 1 that is rounded once to bfloat16 (8 bits of mantissa); float32 sums of some hundreds.
    private readonly double _rounding = bfloat16 ? 1.0 / 256 : 2e-6;

    public void ResidualRmsNorm()
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(1);
        const double Epsilon = 1e-5;
        foreach ((int rows, int width) in new[] { (5, 64), (37, 300), (3, 1000) })
        {
            Tensor x = randn(rows, width);
            Tensor branch = Rounded(randn(rows, width));
            Tensor weight = randn(width);
            Tensor gradient = Rounded(randn(rows, width));
            Tensor residual = randn(rows, width);

            Tensor exactX = x.to(ScalarType.Float64).requires_grad_(true);
            Tensor exactWeight = weight.to(ScalarType.Float64).requires_grad_(true);
            Tensor sum = exactX + branch.to(ScalarType.Float64);
            Tensor root = (sum.square().mean([1L], keepdim: true) + Epsilon).rsqrt();
            Tensor y = sum * root * exactWeight;
            (y * gradient.to(ScalarType.Float64)).sum().backward();

            float[] sums = new float[rows * width];
            float[] scales = new float[rows];
            Array found = Reals(zeros(rows, width));
            machine.Run(
                "residual_rms_norm",
                rows,
                Floats(x),
                Reals(branch),
                sums,
                Floats(weight),
                found,
                scales,
                width,
                (float)Epsilon
            );
            AssertClose(sum, sums, 1e-6, "x + branch");
            AssertClose(root, scales, 1e-6, "r");
            AssertClose(y, Numbers(found), _rounding, "y");

            Array alone = Reals(zeros(rows, width));
            float[] aloneScales = new float[rows];
            machine.Run("rms_norm", rows, sums, Floats(weight), alone, aloneScales, width, (float)Epsilon);
            Assert.Equal(found, alone);
            Assert.Equal(scales, aloneScales);

            foreach (bool overwrite in new[] { false, true })
            {
                float[] back = Floats(residual);
                machine.Run(
                    "rms_norm_gradient",
                    rows,
                    sums,
                    Floats(weight),
                    scales,
                    Reals(gradient),
                    back,
                    width,
                    overwrite ? 1 : 0
                );
                Tensor expected = overwrite ? exactX.grad! : exactX.grad! + residual.to(ScalarType.Float64);
                AssertClose(expected, back, 3e-6, "dx");
            }

            const int PieceRows = 16;
            int pieces = (rows + PieceRows - 1) / PieceRows;
            int across = (width + Group - 1) / Group;
            float[] partial = new float[pieces * width];
            float[] total = Floats(weight);
            machine.Run(
                "rms_norm_weight_pieces",
                pieces * across,
                sums,
                scales,
                Reals(gradient),
                partial,
                rows,
                width,
                PieceRows
            );
            machine.Run("sum_pieces", across, partial, total, pieces, width);
            AssertClose(exactWeight.grad! + weight.to(ScalarType.Float64), total, 5e-6, "dw");
        }
    }

    public void SwiGlu()
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(4);
        foreach (int width in new[] { 1, 37, 64 })
        {
            const int Rows = 70;
            Tensor inner = Rounded(randn(Rows, 2 * width) * 4);
            inner[0, 0] = 0;
            inner[1, 0] = -30;
            inner[2, 0] = 30;
            Tensor gradient = Rounded(randn(Rows, width));
            Tensor exact = inner.to(ScalarType.Float64).requires_grad_(true);
            Tensor h = nn.functional.silu(exact.narrow(1, 0, width)) * exact.narrow(1, width, width);
            h.backward([gradient.to(ScalarType.Float64)]);

            int groups = ((Rows * width) + Group - 1) / Group;
            Array found = Reals(zeros(Rows, width));
            Array innerBack = Reals(inner);
            Array back = Reals(gradient);
            machine.Run("swiglu", groups, Reals(inner), found, Rows, width);
            machine.Run("swiglu_gradient", groups, innerBack, back, Rows, width);
            AssertClose(h, Numbers(found), _rounding, "h");
            AssertClose(exact.grad!, Numbers(innerBack), _rounding, "gradient");
            AssertClose(h, Numbers(back), _rounding, "h again");
        }
    }

    public void Rotary()
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(5);
        const int B = 2;
        const int T = 19;
        foreach (
            (int heads, int groups, int width, int turned) in new[] { (4, 4, 16, 16), (6, 2, 12, 12), (4, 2, 16, 8) }
        )
        {
            int all = heads + (2 * groups);
            Tensor frequencies = pow(10_000.0, arange(0, turned, 2, ScalarType.Float64).div(-turned));
            Tensor angles = outer(arange(T, ScalarType.Float64), frequencies); // [T, A_r/2]
            Tensor qkv = Rounded(randn(B, T, all, width));
            Tensor exact = qkv.to(ScalarType.Float64).requires_grad_(true);

            // As the naive decoder of the tests turns: x·cos + (−second half, first half)·sin.
            Tensor cosines = cat([angles, angles], 1).cos().unsqueeze(1);
            Tensor sines = cat([angles, angles], 1).sin().unsqueeze(1);
            Tensor part = exact.narrow(2, 0, heads + groups).narrow(3, 0, turned);
            Tensor swapped = cat([part.narrow(3, turned / 2, turned / 2).neg(), part.narrow(3, 0, turned / 2)], 3);
            Tensor rotated = (part * cosines) + (swapped * sines);
            Tensor both = cat([rotated, exact.narrow(2, 0, heads + groups).narrow(3, turned, width - turned)], 3);
            Tensor[] expected =
            [
                both.narrow(2, 0, heads).transpose(1, 2).contiguous(),
                both.narrow(2, heads, groups).transpose(1, 2).contiguous(),
                exact.narrow(2, heads + groups, groups).transpose(1, 2).contiguous(),
            ];
            Tensor[] gradients = [.. expected.Select(tensor => Rounded(randn(tensor.shape)))];
            Tensor total = zeros(1, ScalarType.Float64);
            for (int i = 0; i < 3; i++)
            {
                total = total + (expected[i] * gradients[i].to(ScalarType.Float64)).sum();
            }

            total.backward();

            Array[] found = [.. expected.Select(tensor => Reals(zeros(tensor.shape)))];
            float[] cosineTable = Floats(angles.cos());
            float[] sineTable = Floats(angles.sin());
            int launched = ((B * T * all * width) + Group - 1) / Group;
            machine.Run(
                "rotary_split",
                launched,
                Reals(qkv),
                cosineTable,
                sineTable,
                found[0],
                found[1],
                found[2],
                B,
                T,
                heads,
                groups,
                width,
                turned
            );
            for (int i = 0; i < 3; i++)
            {
                AssertClose(expected[i], Numbers(found[i]), _rounding, "q, k or v");
            }

            Array back = Reals(zeros(qkv.shape));
            machine.Run(
                "rotary_merge",
                launched,
                Reals(gradients[0]),
                Reals(gradients[1]),
                Reals(gradients[2]),
                cosineTable,
                sineTable,
                back,
                B,
                T,
                heads,
                groups,
                width,
                turned
            );
            AssertClose(exact.grad!, Numbers(back), _rounding, "gradient");
        }
    }

    /// <summary>The whole request of a loss head whose head is the identity, so that hidden states are logits.</summary>
    public void Loss(LossRequest request)
    {
        using DisposeScope scope = NewDisposeScope();
        int rows = request.Labels.Length;
        int vocabulary = (int)request.HiddenStates.shape[1];
        const int Padding = 5; // columns of the head beyond the real vocabulary
        int columns = vocabulary + Padding;
        int taught = request.Teacher?.Rows ?? 0;
        long counted = request.Labels.Count(label => label >= 0);
        float scale = 1f / counted;
        Tensor padded = cat([request.HiddenStates, full([rows, Padding], 1000f)], 1);
        float[] z = Floats(padded);
        float[] evaluated = Floats(padded);
        int[] labels = [.. request.Labels.Select(label => (int)label)];
        float[] figures = new float[rows * LossFigures.Count];
        float[] evaluatedFigures = new float[rows * LossFigures.Count];
        RunLoss(request, taught, z, columns, labels, figures, scale);
        RunLoss(request, taught, evaluated, columns, labels, evaluatedFigures, 0);
        Assert.Equal(figures, evaluatedFigures);

        // The processor's head in float64: held against the equation by LossHeadTests and SparseSoftLabelTests.
        using var exact = new TensorLossHead(vocabulary, vocabulary);
        var expected = new PositionLosses(rows);
        Tensor gradient = zeros(rows, vocabulary, ScalarType.Float64);
        exact.Train(
            request with
            {
                HiddenStates = request.HiddenStates.to(ScalarType.Float64),
                Head = eye(vocabulary, dtype: ScalarType.Float64),
            },
            counted,
            expected,
            gradient,
            zeros(vocabulary, vocabulary, ScalarType.Float64)
        );
        LossFigures.AssertSame(expected, figures, rows);

        // Entries of p/n in float32.
        Tensor found = tensor(z, rows, columns);
        AssertClose(gradient, Floats(found.narrow(1, 0, vocabulary)), 1e-6 * scale, "gradient");
        Assert.Equal(0, found.narrow(1, vocabulary, Padding).abs().sum().item<float>());
    }

    public void Muon()
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(8);
        foreach (
            (int rows, int columns, bool byRow, bool cautious) in new[]
            {
                (40, 300, true, false),
                (33, 70, false, true),
            }
        )
        {
            const double Share = 0.95;
            const double Clip = 0.7;
            const double Beta = 0.9;
            const double Rate = 0.02;
            const double Keep = 0.998;
            int count = rows * columns;
            int groups = (count + Group - 1) / Group;
            Tensor g = randn(rows, columns).to(ScalarType.Float64);
            Tensor momentum = randn(rows, columns).to(ScalarType.Float64);
            Tensor moments = rand(byRow ? rows : columns).to(ScalarType.Float64);
            Tensor weight = randn(rows, columns).to(ScalarType.Float64);
            float[] momentumFound = Floats(momentum);
            float[] momentsFound = Floats(moments);
            float[] weightFound = Floats(weight);
            float[] direction = new float[count];
            float[] ratio = new float[1];
            float[] sums = new float[2 * rows];

            machine.Run(
                "muon_momentum",
                groups,
                Floats(g),
                momentumFound,
                direction,
                new[] { (float)Share, (float)Clip },
                (long)count
            );
            Tensor m = (momentum * Share) + (g * (Clip * (1 - Share)));
            Tensor d = (g * (Clip * (1 - Share))) + (m * Share);
            AssertClose(m, momentumFound, 1e-6, "momentum");
            AssertClose(d, direction, 1e-6, "direction");

            if (byRow)
            {
                machine.Run("muon_row_moments", rows, direction, momentsFound, columns, (float)Beta);
            }
            else
            {
                int across = (columns + Group - 1) / Group;
                machine.Run("muon_column_moments", across, direction, momentsFound, rows, columns, (float)Beta);
            }

            Tensor v = (moments * Beta) + (d.square().mean([byRow ? 1L : 0L]) * (1 - Beta));
            AssertClose(v, momentsFound, 1e-6, "moments");

            machine.Run(
                "muon_even_out",
                rows,
                direction,
                momentsFound,
                sums,
                columns,
                byRow ? 1 : 0,
                (float)MuonRule.Epsilon
            );
            machine.Run("muon_ratio", 1, sums, ratio, rows);
            machine.Run(
                "muon_update",
                groups,
                weightFound,
                direction,
                ratio,
                new[] { (float)Rate, (float)Keep },
                cautious ? 1 : 0,
                (long)count
            );
            Tensor even = d / (v.sqrt() + MuonRule.Epsilon).unsqueeze(byRow ? 1 : 0);
            Tensor update = even * (d.norm() / even.norm()) * Rate;
            Tensor decayed = cautious ? where((update * weight).gt(0), weight * Keep, weight) : weight * Keep;
            AssertClose(decayed - update, weightFound, 1e-6, "weights");
        }
    }

    public void Embedding()
    {
        using DisposeScope scope = NewDisposeScope();
        manual_seed(9);
        const int N = 500;
        const int V = 40;
        const int D = 300;
        var random = new Random(9);
        int[] tokens = [.. Enumerable.Range(0, N).Select(_ => Math.Min(random.Next(V), random.Next(V)))];
        Tensor gradient = randn(N, D);
        Tensor table = randn(V, D);
        int[] order = [.. Enumerable.Range(0, N).OrderBy(i => tokens[i])]; // stable
        int[] used = [.. tokens.Distinct().Order()];
        int[] starts = [.. used.Select(token => Array.FindIndex(order, i => tokens[i] == token)), N];
        float[] found = Floats(table);
        float[] again = Floats(table);
        machine.Run("embedding_gradient", used.Length, Floats(gradient), order, starts, used, found, D);
        machine.Run("embedding_gradient", used.Length, Floats(gradient), order, starts, used, again, D);
        Assert.Equal(found, again);

        // In the order of the text, to the last bit: what float32 additions one after another give.
        float[] expected = Floats(table);
        float[] rows = Floats(gradient);
        foreach (int token in used)
        {
            for (int i = 0; i < D; i++)
            {
                float sum = 0;
                for (int position = 0; position < N; position++)
                {
                    sum += tokens[position] == token ? rows[(position * D) + i] : 0;
                }

                expected[(token * D) + i] += sum;
            }
        }

        Assert.Equal(expected, found);
        Tensor exact = table.to(ScalarType.Float64);
        exact.index_add_(0, tensor(Array.ConvertAll(tokens, token => (long)token)), gradient.to(ScalarType.Float64), 1);
        AssertClose(exact, found, 2e-5, "gradient"); // sums of up to 40 rows
    }

    private void RunLoss(
        LossRequest request,
        int taught,
        float[] z,
        int columns,
        int[] labels,
        float[] figures,
        float scale
    )
    {
        int rows = labels.Length;
        int vocabulary = (int)request.HiddenStates.shape[1];
        float[] gate = Gate(request);
        float[] omega = request.Omega.Length == 0 ? new float[rows] : request.Omega;
        float[] rest = z[(taught * columns)..];
        float[] restFigures = figures[(taught * LossFigures.Count)..];
        if (taught < rows)
        {
            machine.Run("plain_loss", rows - taught, rest, labels[taught..], restFigures, vocabulary, columns, scale);
            rest.CopyTo(z, taught * columns);
            restFigures.CopyTo(figures, taught * LossFigures.Count);
        }

        switch (request.Teacher)
        {
            case DenseSoftLabels dense:
                machine.Run(
                    "teacher_loss",
                    taught,
                    z,
                    Floats(dense.Logits),
                    labels,
                    omega,
                    gate,
                    figures,
                    vocabulary,
                    columns,
                    (int)dense.Logits.shape[1],
                    scale,
                    (float)dense.Temperature
                );
                break;
            case SparseSoftLabels sparse:
                float[] known =
                [
                    .. Enumerable
                        .Range(0, taught)
                        .SelectMany(i =>
                            new[]
                            {
                                sparse.Nll[i],
                                sparse.NllTempered[i],
                                sparse.Entropy[i],
                                sparse.TopProbability?[i] ?? 0,
                            }
                        ),
                ];
                machine.Run(
                    "sparse_loss",
                    taught,
                    z,
                    sparse.Starts,
                    sparse.Ids,
                    sparse.Probabilities,
                    known,
                    new float[sparse.Ids.Length],
                    labels,
                    omega,
                    gate,
                    figures,
                    vocabulary,
                    columns,
                    sparse.HasTail ? 1 : 0,
                    scale
                );
                break;
        }
    }

    // As loss.cl reads it.
    private static float[] Gate(LossRequest request)
    {
        Gate gate = request.Gate;
        int kind = gate.Kind switch
        {
            GateKind.TopProbability => 1,
            GateKind.Entropy => 2,
            GateKind.Observed => 3,
            GateKind.Bucket => 4,
            _ => 0,
        };
        float Factor(int i) => i < gate.Factors.Count ? (float)gate.Factors[i] : 0;
        float Bound(int i) => i < gate.Bounds.Count ? (float)gate.Bounds[i] : 0;
        float gateScale = (float)(request.GateScale ?? -1);
        return [kind, (float)gate.Threshold, Factor(0), Factor(1), Factor(2), Bound(0), Bound(1), gateScale];
    }

    // What the kernel will read: rounded where `real` is.
    private Tensor Rounded(Tensor tensor) => bfloat16 ? tensor.to(ScalarType.BFloat16).to(ScalarType.Float32) : tensor;

    private Array Reals(Tensor tensor)
    {
        float[] values = Floats(tensor);
        if (!bfloat16)
        {
            return values;
        }

        return Array.ConvertAll(values, value => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16));
    }

    private static float[] Numbers(Array reals) =>
        reals is ushort[] halves
            ? Array.ConvertAll(halves, bits => BitConverter.UInt32BitsToSingle((uint)bits << 16))
            : (float[])reals;

    private static float[] Floats(Tensor tensor)
    {
        using DisposeScope scope = NewDisposeScope();
        return tensor.detach().to(ScalarType.Float32).contiguous().view(-1).data<float>().ToArray();
    }

    // Against the larger of 1 and the number itself.
    private static void AssertClose(Tensor expected, float[] actual, double tolerance, string what)
    {
        using DisposeScope scope = NewDisposeScope();
        double[] exact = expected.detach().to(ScalarType.Float64).contiguous().view(-1).data<double>().ToArray();
        Assert.Equal(exact.Length, actual.Length);
        double largest = 0;
        for (int i = 0; i < exact.Length; i++)
        {
            double difference = Math.Abs(exact[i] - actual[i]) / Math.Max(1, Math.Abs(exact[i]));
            largest = double.IsNaN(difference) ? double.PositiveInfinity : Math.Max(largest, difference);
        }

        Assert.True(largest <= tolerance, $"{what}: the largest difference is {largest:e2}, allowed {tolerance:e2}");
    }
}
