#!/usr/bin/env python3
"""Makes the tiny random models of the tests and what Python's onnxruntime computes with them.

    pip install -r requirements.txt
    python make_random_models.py                     # writes tiny-*/ and expected.json beside this file
    python make_random_models.py --out DIR --hidden 384 --layers 6 --heads 12     # larger ones, for measurements; no expected.json

Three shapes, with the names of inputs and outputs that the usual exports of published models have:

    tiny-mpnet            input_ids, attention_mask                  -> last_hidden_state [batch, sequence, hidden]
    tiny-classifier       input_ids, attention_mask, token_type_ids  -> logits [batch, 1]          (BERT with a pooler)
    tiny-language-model   input_ids, attention_mask, position_ids    -> logits [batch, sequence, vocabulary]   (GPT-2)

Nothing is read but this file. The weights follow from SEED; the hash of a graph may change with the version of onnx.
Expected numbers are computed one text at a time, without padding, pooled and soft-maxed in double precision.
"""
import argparse
import json
import os
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from make_manifest import write_manifest

SEED = 20250713
OPSET, IR_VERSION = 20, 10
HERE = Path(__file__).resolve().parent
F32 = np.float32
MASKED = -10000.0

WORDS = """the a of to and is in that it for was on are as with they at be this from have or by one had not but what all were
when we there can an your which their said if do will each about how up out them then she many some so these would other into
has more her two like him see time could no make than first been its who now people my made over did down only way find use
may water long little very after words called just where most know miner validator answer question round river tide moon score
reward ##s ##ed ##ing ##er ##ly ##est ##tion ##al""".split()
CHARACTERS = [chr(code) for code in range(33, 127) if not chr(code).isupper()]


def vocabulary(special):
    pieces = special + CHARACTERS + ["##" + c for c in CHARACTERS if c.isalnum()] + [w for w in WORDS if len(w) > 1]
    return {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}


def tokenizer(special, unknown, template):
    """A lower-casing word-piece tokenizer.json. `template` gives pieces of (single, pair) with type ids; None: no such tokens."""
    vocab = vocabulary(special)
    part = {"A": ("Sequence", 0), "B": ("Sequence", 1)}

    def pieces(text):
        for item in text.split():
            name, kind = item.rsplit(":", 1)
            label, _ = part.get(name, ("SpecialToken", None))
            yield {label: {"id": name, "type_id": int(kind)}}

    post = template and {
        "type": "TemplateProcessing",
        "single": list(pieces(template[0])),
        "pair": list(pieces(template[1])),
        "special_tokens": {t: {"id": t, "ids": [vocab[t]], "tokens": [t]} for t in special},
    }
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            dict(id=vocab[t], content=t, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
            for t in special
        ],
        "normalizer": dict(type="BertNormalizer", clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True),
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": post,
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": dict(
            type="WordPiece", unk_token=unknown, continuing_subword_prefix="##", max_input_chars_per_word=100, vocab=vocab
        ),
    }


class Graph:
    """Collects nodes and random constants, in the order in which they are asked for."""

    def __init__(self, number, hidden, heads):
        self.random = np.random.default_rng([SEED, number])
        self.nodes, self.constants = [], []
        self.hidden, self.heads, self.width = hidden, heads, hidden // heads
        self.axes_12, self.split = self.integers("axes_12", [1, 2]), self.integers("split", [0, 0, heads, self.width])
        self.join = self.integers("join", [0, 0, hidden])
        self.length = self.op("Shape", "input_ids", start=1, end=2)

    def constant(self, name, array):
        self.constants.append(numpy_helper.from_array(np.array(array, order="C"), name))
        return name

    def integers(self, name, values):
        return self.constant(name, np.array(values, np.int64))

    def normal(self, name, *shape, deviation):
        return self.constant(name, self.random.normal(0, deviation, shape).astype(F32))

    def op(self, kind, *inputs, output=None, **attributes):
        name = output or f"{kind}_{len(self.nodes) + 1}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name="node_" + name, **attributes))
        return name

    def dense(self, x, name, rows, columns):
        product = self.op("MatMul", x, self.normal(name + ".W", rows, columns, deviation=1.2 / np.sqrt(rows)))
        return self.op("Add", product, self.normal(name + ".b", columns, deviation=0.1))

    def normalised(self, x, name):
        scale = self.constant(name + ".w", self.random.normal(1, 0.1, self.hidden).astype(F32))
        shift = self.normal(name + ".shift", self.hidden, deviation=0.1)
        return self.op("LayerNormalization", x, scale, shift, axis=-1, epsilon=1e-5)

    def table(self, name, rows, index):
        return self.op("Gather", self.normal(name, rows, self.hidden, deviation=0.7), index, axis=0)

    def cut(self, name, array):
        """The first `sequence` rows and columns of a [1, heads or 1, length, length] table."""
        constant = self.constant(name, array.astype(F32))
        for axis in (2, 3):
            start, along = self.integers(f"{name}.from_{axis}", [0]), self.integers(f"{name}.axis_{axis}", [axis])
            constant = self.op("Slice", constant, start, self.length, along)
        return constant

    def absent(self):
        """[batch, 1, 1, sequence]: 0 where there is a token, very low where there is padding."""
        mask = self.op("Cast", "attention_mask", to=TensorProto.FLOAT)
        gone = self.op("Sub", self.constant("one", F32(1)), mask)
        return self.op("Unsqueeze", self.op("Mul", gone, self.constant("masked", F32(MASKED))), self.axes_12)

    def attention(self, x, name, biases):
        def part(letter):
            flat = self.op("Reshape", self.dense(x, f"{name}.{letter}", self.hidden, self.hidden), self.split)
            return self.op("Transpose", flat, perm=[0, 2, 3, 1] if letter == "k" else [0, 2, 1, 3])

        score = self.op("MatMul", part("q"), part("k"))
        score = self.op("Mul", score, self.constant(name + ".scale", F32(1 / np.sqrt(self.width))))
        for bias in biases:
            score = self.op("Add", score, bias)
        context = self.op("MatMul", self.op("Softmax", score, axis=-1), part("v"))
        context = self.op("Reshape", self.op("Transpose", context, perm=[0, 2, 1, 3]), self.join)
        return self.dense(context, name + ".o", self.hidden, self.hidden)

    def feed_forward(self, x, name):
        inner = self.op("Gelu", self.dense(x, name + ".up", self.hidden, 4 * self.hidden))
        return self.dense(inner, name + ".down", 4 * self.hidden, self.hidden)

    def encoder_layers(self, x, layers, biases):
        for layer in range(layers):
            x = self.normalised(self.op("Add", self.attention(x, f"{layer}.attention", biases), x), f"{layer}.norm_1")
            x = self.normalised(self.op("Add", self.feed_forward(x, f"{layer}.ffn"), x), f"{layer}.norm_2")
        return x

    def model(self, inputs, output, shape):
        tensor = helper.make_tensor_value_info
        given = [tensor(name, TensorProto.INT64, ["batch", "sequence"]) for name in inputs]
        graph = helper.make_graph(self.nodes, "g", given, [tensor(output, TensorProto.FLOAT, shape)], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="make_random_models")
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model)
        return model


def buckets(length, count=32, farthest=128):
    """MPNet's buckets of relative positions (T5's, bidirectional): an integer for each (query, key)."""
    distance = np.arange(length)[:, None] - np.arange(length)[None, :]
    half = count // 2
    bucket, distance, exact = np.where(distance < 0, half, 0), np.abs(distance), half // 2
    far = np.log(np.maximum(distance, 1) / exact) / np.log(farthest / exact) * (half - exact)
    return bucket + np.where(distance < exact, distance, np.minimum(exact + far.astype(int), half - 1))


def mpnet(size, vocab, length, padding):
    """No token types; positions are counted from the padding id on; one bias of relative positions for all layers."""
    g = Graph(1, size.hidden, size.heads)
    present = g.op("Cast", g.op("Equal", "input_ids", g.integers("padding", padding)), to=TensorProto.INT64)
    present = g.op("Sub", g.integers("present", 1), present)
    counted = g.op("Mul", g.op("CumSum", present, g.integers("along", 1)), present)
    positions = g.op("Add", counted, "padding")
    x = g.op("Add", g.table("words", vocab, "input_ids"), g.table("positions", length + padding + 1, positions))
    relative = g.random.normal(0, 0.7, (32, size.heads))[buckets(length)].transpose(2, 0, 1)[None]
    biases = [g.cut("relative", relative), g.absent()]
    x = g.encoder_layers(g.normalised(x, "norm_0"), size.layers, biases)
    g.op("Identity", x, output="last_hidden_state")
    return g.model(["input_ids", "attention_mask"], "last_hidden_state", ["batch", "sequence", size.hidden])


def classifier(size, vocab, length):
    g = Graph(2, size.hidden, size.heads)
    places, start = g.normal("positions", length, size.hidden, deviation=0.7), g.integers("zero", [0])
    places = g.op("Slice", places, start, g.length, start)
    x = g.op("Add", g.table("words", vocab, "input_ids"), g.table("types", 2, "token_type_ids"))
    x = g.encoder_layers(g.normalised(g.op("Add", x, places), "norm_0"), size.layers, [g.absent()])
    first = g.op("Gather", x, g.integers("first", 0), axis=1)
    pooled = g.op("Tanh", g.dense(first, "pooler", size.hidden, size.hidden))
    weight = g.normal("head.W", size.hidden, 1, deviation=2 / np.sqrt(size.hidden))
    g.op("Add", g.op("MatMul", pooled, weight), g.constant("head.b", np.array([0.25], F32)), output="logits")
    return g.model(["input_ids", "attention_mask", "token_type_ids"], "logits", ["batch", 1])


def language_model(size, vocab, length):
    g = Graph(3, size.hidden, size.heads)
    x = g.op("Add", g.table("words", vocab, "input_ids"), g.table("positions", length, "position_ids"))
    biases = [g.cut("causal", np.triu(np.full((length, length), MASKED), 1)[None, None]), g.absent()]
    for layer in range(size.layers):
        x = g.op("Add", x, g.attention(g.normalised(x, f"{layer}.norm_1"), f"{layer}.attention", biases))
        x = g.op("Add", x, g.feed_forward(g.normalised(x, f"{layer}.norm_2"), f"{layer}.ffn"))
    head = g.normal("head", size.hidden, vocab, deviation=2 / np.sqrt(size.hidden))
    g.op("MatMul", g.normalised(x, "norm_last"), head, output="logits")
    return g.model(["input_ids", "attention_mask", "position_ids"], "logits", ["batch", "sequence", vocab])


def save(out, name, model, words, kind, dimensions, length, **pooling):
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    text = json.dumps(words, ensure_ascii=True, separators=(",", ":")) + "\n"
    (folder / "tokenizer.json").write_text(text, encoding="utf-8")
    write_manifest(folder, kind, name, dimensions, length, **pooling)


def make(out, size, length):
    """All three models; lengths are in word pieces."""
    words = tokenizer(["<s>", "<pad>", "</s>", "[UNK]", "<mask>"], "[UNK]", ("<s>:0 A:0 </s>:0", "<s>:0 A:0 </s>:0 </s>:0 B:0 </s>:0"))
    graph = mpnet(size, len(words["model"]["vocab"]), length, words["model"]["vocab"]["<pad>"])
    save(out, "tiny-mpnet", graph, words, "embedding", size.hidden, length, pooling="mean", normalise=True)

    words = tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], "[UNK]", ("[CLS]:0 A:0 [SEP]:0", "[CLS]:0 A:0 [SEP]:0 B:1 [SEP]:1"))
    graph = classifier(size, len(words["model"]["vocab"]), length)
    save(out, "tiny-classifier", graph, words, "sequence_classification", 1, length)

    words = tokenizer(["<|endoftext|>"], "<|endoftext|>", None)
    count = len(words["model"]["vocab"])
    save(out, "tiny-language-model", language_model(size, count, length), words, "causal_language_model", count, length)


TEXTS = [
    "",
    "a",
    "The moon pulls the water of the sea, and that is the tide.",
    "what\tis 2 + 2?\r\n",
    "Zażółć gęślą jaźń",
    "\u65e5\u672c\u8a9e the river \U0001f980",
    "the tide is high and the river is long; the miner answered the question of the validator, and the score was made known "
    "to all of the people who had asked about it in the round before this one",
]
PAIRS = [
    ("what pulls the tide?", "the moon"),
    ("what pulls the tide?", "the moon, and a little the sun"),
    ("the moon", "what pulls the tide?"),
    ("", ""),
    ("how long is the river?", ""),
    ("", "very long"),
    ("Zażółć gęślą jaźń?", "\U0001f980 it is 42."),
    (TEXTS[-1], "yes"),
    ("is it?", TEXTS[-1]),
    (TEXTS[-1], TEXTS[-1]),
]
SENTENCES = [
    ("the moon pulls ", "the tide"),
    ("what is the time? ", "it is two, and it is two, and it is two, and it is two"),
    ("", "a river"),
    ("one", ""),
    ("the question was ", "Zażółć \U0001f980 what?"),
]


def expected(out, length):
    import onnxruntime
    from tokenizers import Tokenizer

    def load(name):
        words = Tokenizer.from_file(str(out / name / "tokenizer.json"))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        path = str(out / name / "model.onnx")
        return words, onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(session, **rows):
        return session.run(None, {name: np.array([row], np.int64) for name, row in rows.items()})[0][0]

    words, session = load("tiny-mpnet")
    words.enable_truncation(length)
    embeddings = []
    for text in TEXTS:
        ids = words.encode(text).ids
        mean = run(session, input_ids=ids, attention_mask=[1] * len(ids)).astype(np.float64).mean(0)
        embeddings.append({"text": text, "vector": (mean / np.linalg.norm(mean)).tolist()})

    words, session = load("tiny-classifier")
    words.enable_truncation(length, strategy="longest_first")
    logits = []
    for first, second in PAIRS:
        cut = words.encode(first, second)
        logit = run(session, input_ids=cut.ids, attention_mask=[1] * len(cut.ids), token_type_ids=cut.type_ids)[0]
        cut_off = len(cut.overflowing) > 0
        logits.append({"first": first, "second": second, "logit": float(logit), "word_pieces": len(cut.ids), "truncated": cut_off})

    words, session = load("tiny-language-model")
    sequences = []
    for prompt, answer in SENTENCES:
        ids = words.encode(prompt + answer).ids
        rows = run(session, input_ids=ids, attention_mask=[1] * len(ids), position_ids=list(range(len(ids))))[:-1].astype(np.float64)
        log_sums = np.log(np.exp(rows).sum(-1))
        sequences.append({
            "prompt": prompt, "answer": answer, "tokens": ids, "prompt_tokens": len(words.encode(prompt).ids),
            "log_probabilities": [float(row[token] - total) for row, token, total in zip(rows, ids[1:], log_sums)],
            "log_sums": log_sums.tolist(), "mean": float(rows.mean()) if len(rows) else 0.0,
            "deviation": float(rows.std(ddof=1)) if len(rows) else 0.0,
            "of_token_7": [float(row[7] - total) for row, total in zip(rows, log_sums)],
        })  # fmt: skip
    return {"onnxruntime": onnxruntime.__version__, "embeddings": embeddings, "logits": logits, "sequences": sequences}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--hidden", type=int, default=16)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--heads", type=int, default=2)
    parser.add_argument("--length", type=int, default=40, help="word pieces that the models take")
    size = parser.parse_args()
    make(size.out, size, size.length)
    if size.out == HERE:
        text = json.dumps(expected(size.out, size.length), indent=1, ensure_ascii=True)
        (HERE / "expected.json").write_text(text + "\n", encoding="utf-8")
    for path in sorted(size.out.glob("tiny-*/*")):
        print(f"{os.path.getsize(path):>9} {path}")


if __name__ == "__main__":
    main()
