// What makes logits of an output head's products: c·tanh((x + b)/c), or x + b alone. M = rows, V = rows of the head.
using TorchSharp;
using static TorchSharp.torch;

namespace Saltern.Numerics;

/// <summary>Biases and cap of an output head's logits.</summary>
/// <param name="Bias">b, [V]; null for none.</param>
/// <param name="Cap">c of c·tanh(x/c); null for none.</param>
internal sealed record HeadForm(Tensor? Bias, double? Cap)
{
    /// <summary>Logits from products, as new tensors that a gradient can go back through.</summary>
    /// <param name="products">[M, V].</param>
    /// <returns>[M, V]; the caller owns it.</returns>
    public Tensor Apply(Tensor products)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor logits = products;
        if (Bias is not null)
        {
            logits = logits + Bias.to(products.device).to(products.dtype);
        }

        if (Cap is double cap)
        {
            logits = (logits / cap).tanh() * cap;
        }

        return logits.MoveToOuterDisposeScope();
    }

    /// <summary>Logits in place of products.</summary>
    /// <param name="products">[M, V], without a gradient.</param>
    public void ApplyTo(Tensor products)
    {
        using DisposeScope scope = NewDisposeScope();
        if (Bias is not null)
        {
            products.add_(Bias.detach().to(products.device).to(products.dtype));
        }

        if (Cap is double cap)
        {
            products.div_(cap).tanh_().mul_(cap);
        }
    }

    /// <summary>∂logit/∂product of each, 1 − (logit/c)²; null where it is 1.</summary>
    /// <param name="logits">[M, V].</param>
    /// <returns>[M, V]; the caller owns it.</returns>
    public Tensor? Slopes(Tensor logits)
    {
        if (Cap is double cap)
        {
            return logits.div(cap).pow_(2).neg_().add_(1);
        }

        return null;
    }
}
