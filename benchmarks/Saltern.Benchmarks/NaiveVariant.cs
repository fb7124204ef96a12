using Saltern.Models;
using Saltern.Tests.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Benchmarks;

/// <summary>The step as one would write it first with TorchSharp: whole logits, automatic differentiation, TorchSharp's AdamW and clipping.</summary>
internal sealed class NaiveVariant : IStepVariant
{
    private readonly PlainDecoder _student;
    private readonly PlainDecoder? _teacher;
    private readonly optim.Optimizer _optimizer;
    private readonly double _weight;
    private readonly double _temperature;

    public NaiveVariant(Shape shape, bool distils, double weight, double temperature)
    {
        (_weight, _temperature) = (weight, temperature);
        _student = Decoder(shape.Student, 1, trainable: true);
        _teacher = distils ? Decoder(shape.Teacher, 2, trainable: false) : null;
        _optimizer = optim.AdamW(_student.Weights, lr: 1e-3, beta1: 0.9, beta2: 0.95, eps: 1e-8, weight_decay: 0.1);
    }

    public double Step(Tensor tokens, long[] labels, bool distils)
    {
        using DisposeScope scope = NewDisposeScope();
        _optimizer.zero_grad();
        Tensor logits = _student.Logits(tokens);
        Tensor targets = tensor(labels);
        Tensor loss = nn.functional.cross_entropy(logits, targets);
        if (distils && _teacher is not null)
        {
            Tensor q;
            using (no_grad())
            {
                q = nn.functional.softmax(_teacher.Logits(tokens) / _temperature, -1);
            }

            Tensor distilled = (q * nn.functional.log_softmax(logits, -1)).sum(-1L).mean().neg();
            loss = ((1 - _weight) * loss) + (_weight * distilled);
        }

        loss.backward();
        nn.utils.clip_grad_norm_(_student.Weights, 1.0);
        _optimizer.step();
        return loss.item<float>();
    }

    public void Dispose()
    {
        _optimizer.Dispose();
        _teacher?.Dispose();
        _student.Dispose();
    }

    private static PlainDecoder Decoder(TransformerConfig config, int seed, bool trainable)
    {
        using var model = new Transformer(config, trainable: false);
        model.Initialize(seed);
        return new PlainDecoder(model, trainable);
    }
}
