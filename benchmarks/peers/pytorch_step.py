"""The peer: the same training step in PyTorch eager, as its users would write it. Prints one line of JSON like the C# workers.

Debian's python3-torch with libopenblas0-pthread (its default BLAS is the reference one and 20 times slower; comparing with that would mean nothing).
Usage: /usr/bin/python3 pytorch_step.py --hidden 256 --layers 6 --heads 4 --feed-forward 704 --vocabulary 8192 --length 256 --sequences 16 [--kd] [--threads 1] [--steps 6]
On a GPU: --device cuda, and what its users would add there: --tuned (fused attention, fused AdamW), --compile (torch.compile), --bf16 (autocast); --steps 50.
"""
import argparse
import json
import math
import resource
import statistics
import time

import torch
import torch.nn.functional as F


class Decoder(torch.nn.Module):
    def __init__(self, hidden, layers, heads, feed_forward, vocabulary, length, tuned=False):
        super().__init__()
        self.tuned = tuned
        self.heads, self.size = heads, hidden // heads
        self.embedding = torch.nn.Parameter(torch.randn(vocabulary, hidden) * math.sqrt(2 / (5 * hidden)))
        deviation, residual = math.sqrt(2 / (5 * hidden)), math.sqrt(2 / (5 * hidden)) / math.sqrt(2 * layers)
        weight = lambda rows, columns, scale: torch.nn.Parameter(torch.randn(rows, columns) * scale)
        self.layers = torch.nn.ModuleList()
        for _ in range(layers):
            layer = torch.nn.Module()
            layer.norm1, layer.norm2 = torch.nn.Parameter(torch.ones(hidden)), torch.nn.Parameter(torch.ones(hidden))
            layer.q, layer.k, layer.v = (weight(hidden, hidden, deviation) for _ in range(3))
            layer.o = weight(hidden, hidden, residual)
            layer.gate, layer.up = weight(feed_forward, hidden, deviation), weight(feed_forward, hidden, deviation)
            layer.down = weight(hidden, feed_forward, residual)
            self.layers.append(layer)
        self.norm = torch.nn.Parameter(torch.ones(hidden))
        angles = torch.outer(torch.arange(length).double(), 10_000.0 ** (-torch.arange(0, self.size, 2).double() / self.size))
        angles = torch.cat([angles, angles], dim=1)
        self.register_buffer("cosines", angles.cos().float())
        self.register_buffer("sines", angles.sin().float())
        self.register_buffer("mask", torch.full((length, length), float("-inf")).triu(1))

    def normalise(self, x, weight):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * weight

    def rotate(self, x):
        half = self.size // 2
        turned = torch.cat([-x[..., half:], x[..., :half]], dim=-1)
        return x * self.cosines + turned * self.sines

    def forward(self, tokens):
        batch, length = tokens.shape
        split = lambda y: y.view(batch, length, self.heads, self.size).transpose(1, 2)
        x = F.embedding(tokens, self.embedding)
        for layer in self.layers:
            y = self.normalise(x, layer.norm1)
            q, k, v = self.rotate(split(F.linear(y, layer.q))), self.rotate(split(F.linear(y, layer.k))), split(F.linear(y, layer.v))
            if self.tuned:
                mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            else:
                mixed = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(self.size) + self.mask, dim=-1) @ v
            x = x + F.linear(mixed.transpose(1, 2).reshape(batch, length, -1), layer.o)
            y = self.normalise(x, layer.norm2)
            x = x + F.linear(F.silu(F.linear(y, layer.gate)) * F.linear(y, layer.up), layer.down)
        return F.linear(self.normalise(x, self.norm), self.embedding)


def main():
    parser = argparse.ArgumentParser()
    for name in ("hidden", "layers", "heads", "feed-forward", "vocabulary", "length", "sequences"):
        parser.add_argument("--" + name, type=int, required=True)
    parser.add_argument("--kd", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--device", default="cpu")
    for name in ("tuned", "compile", "bf16"):
        parser.add_argument("--" + name, action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    student = Decoder(args.hidden, args.layers, args.heads, args.feed_forward, args.vocabulary, args.length, args.tuned).to(args.device)
    teacher = Decoder(args.hidden // 2, max(1, args.layers * 2 // 3), max(1, args.heads // 2), args.feed_forward // 2, args.vocabulary, args.length, args.tuned).to(args.device) if args.kd else None
    optimizer = torch.optim.AdamW(student.parameters(), lr=1e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1, **({"fused": True} if args.tuned else {"foreach": True}))

    def loss_of(tokens, labels):
        with torch.autocast(args.device, torch.bfloat16, enabled=args.bf16):
            logits = student(tokens).view(-1, args.vocabulary)
            loss = F.cross_entropy(logits.float(), labels)
            if teacher is not None:
                with torch.no_grad():
                    q = torch.softmax(teacher(tokens).view(-1, args.vocabulary).float(), dim=-1)
                loss = (1 - weight) * loss + weight * -(q * F.log_softmax(logits.float(), dim=-1)).sum(-1).mean()
        return loss

    if args.compile:
        loss_of = torch.compile(loss_of)
    cpu, wall, weight = [], [], 0.667
    for step in range(2 + args.steps):
        tokens = torch.randint(args.vocabulary, (args.sequences, args.length), device=args.device)
        labels = torch.randint(args.vocabulary, (args.sequences * args.length,), device=args.device)
        cpu_start, start = time.process_time(), time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(tokens, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        value = loss.item()
        if step >= 2:
            cpu.append(1e3 * (time.process_time() - cpu_start))
            wall.append(1e3 * (time.perf_counter() - start))
    print(json.dumps({
        "variant": "pytorch " + torch.__version__, "distils": args.kd, "threads": args.threads, "cpu_ms": statistics.median(cpu), "wall_ms": statistics.median(wall),
        "wall_min_ms": min(wall), "device": args.device, "tuned": args.tuned, "compile": args.compile, "bf16": args.bf16,
        "peak_gpu_mb": torch.cuda.max_memory_allocated() / 2**20 if args.device == "cuda" else None, "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "loss": value}))


main()
