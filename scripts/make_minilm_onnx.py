#!/usr/bin/env python3
"""Builds the ONNX graph of a BERT sentence encoder (the shape of all-MiniLM-L6-v2) from its safetensors weights,
and the manifest by which Assay identifies the model.

    make_minilm_onnx.py MODEL_DIR OUT_DIR [--name NAME] [--check]

Needs numpy, onnx and safetensors only (no torch, no transformers). MODEL_DIR holds config.json, model.safetensors and
tokenizer.json; OUT_DIR receives model.onnx, tokenizer.json, config.json and, last of all, manifest.json.

Graph   inputs   input_ids, attention_mask: int64 [batch, sequence]
        output   sentence_embedding: float32 [batch, hidden], mean over the mask, length 1

token_type_ids are always zero for single texts, so row 0 of that table is folded into the position table.
The model is identified by the hashes of its weights and of its tokenizer; the hash of model.onnx may change with the
version of the onnx package, and is kept only to find a damaged file.
"""
import argparse
import hashlib
import json
import os
import shutil
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

OPSET = 20  # the first with both LayerNormalization and Gelu
IR_VERSION = 10
# What the model was trained with (sentence_bert_config.json); tokenizer.json itself pins 128 and a fixed padding.
MAX_WORD_PIECES = 256


class Graph:
    """Collects nodes and constants; names are numbered, so that the same weights give the same graph."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, name, array):
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def integers(self, name, values):
        return self.constant(name, np.array(values, np.int64))

    def op(self, kind, *inputs, outputs=1, **attributes):
        number = len(self.nodes) + 1
        names = [f"{kind}_{number}" + (f"_{k}" if outputs > 1 else "") for k in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=f"n{number}_{kind}", **attributes))
        return names[0] if outputs == 1 else names


def build(config, weights):
    """The whole encoder as one ONNX model."""
    hidden, layers, heads = config["hidden_size"], config["num_hidden_layers"], config["num_attention_heads"]
    width, epsilon = hidden // heads, float(config["layer_norm_eps"])
    if config["hidden_act"] != "gelu" or config["position_embedding_type"] != "absolute":
        sys.exit("make_minilm_onnx: only gelu and absolute positions are built here")
    g, f32 = Graph(), np.float32
    axis0, axis1, axis2 = (g.integers(f"axis{n}", [n]) for n in (0, 1, 2))
    axis12, zero = g.integers("axis12", [1, 2]), g.integers("zero", [0])
    split_heads, join_heads = g.integers("split_heads", [0, 0, 3, heads, width]), g.integers("join_heads", [0, 0, hidden])

    def normalise(x, prefix):
        scale = g.constant(prefix + ".w", weights[prefix + ".weight"])
        shift = g.constant(prefix + ".b", weights[prefix + ".bias"])
        return g.op("LayerNormalization", x, scale, shift, axis=-1, epsilon=epsilon)

    def dense(x, name, matrix, bias):
        product = g.op("MatMul", x, g.constant(name + ".W", matrix.astype(f32)))
        return g.op("Add", product, g.constant(name + ".b", bias.astype(f32)))

    words = g.op("Gather", g.constant("words", weights["embeddings.word_embeddings.weight"]), "input_ids", axis=0)
    table = weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0]
    length = g.op("Shape", "input_ids", start=1, end=2)
    x = g.op("Add", words, g.op("Slice", g.constant("positions", table.astype(f32)), zero, length, axis0))
    x = normalise(x, "embeddings.LayerNorm")

    # Additive mask [batch, 1, 1, sequence]: 0 where there is a word piece, -10000 where there is padding.
    mask = g.op("Cast", "attention_mask", to=TensorProto.FLOAT)
    absent = g.op("Mul", g.op("Sub", g.constant("one", f32(1)), mask), g.constant("minus", f32(-10000.0)))
    absent = g.op("Unsqueeze", absent, axis12)

    scale = f32(1.0 / np.sqrt(width))
    for layer in range(layers):
        prefix = f"encoder.layer.{layer}."
        attention = prefix + "attention."
        q, k, v = (attention + f"self.{n}" for n in ("query", "key", "value"))
        # One product for query, key and value; 1/sqrt(width) is folded into the query's part.
        matrix = np.concatenate([weights[q + ".weight"].T * scale, weights[k + ".weight"].T, weights[v + ".weight"].T], 1)
        bias = np.concatenate([weights[q + ".bias"] * scale, weights[k + ".bias"], weights[v + ".bias"]])
        qkv = g.op("Reshape", dense(x, attention + "qkv", matrix, bias), split_heads)
        query, key, value = (
            g.op("Squeeze", part, axis2) for part in g.op("Split", qkv, axis=2, num_outputs=3, outputs=3)
        )
        query, value = (g.op("Transpose", part, perm=[0, 2, 1, 3]) for part in (query, value))
        key = g.op("Transpose", key, perm=[0, 2, 3, 1])
        share = g.op("Softmax", g.op("Add", g.op("MatMul", query, key), absent), axis=-1)
        context = g.op("Transpose", g.op("MatMul", share, value), perm=[0, 2, 1, 3])
        context = g.op("Reshape", context, join_heads)
        out = attention + "output.dense"
        context = dense(context, out, weights[out + ".weight"].T, weights[out + ".bias"])
        x = normalise(g.op("Add", context, x), attention + "output.LayerNorm")
        up, down = prefix + "intermediate.dense", prefix + "output.dense"
        inner = g.op("Gelu", dense(x, up, weights[up + ".weight"].T, weights[up + ".bias"]))
        inner = dense(inner, down, weights[down + ".weight"].T, weights[down + ".bias"])
        x = normalise(g.op("Add", inner, x), prefix + "output.LayerNorm")

    pooled_mask = g.op("Unsqueeze", mask, axis2)
    total = g.op("ReduceSum", g.op("Mul", x, pooled_mask), axis1, keepdims=0)
    count = g.op("Max", g.op("ReduceSum", pooled_mask, axis1, keepdims=0), g.constant("tiny", f32(1e-9)))
    mean = g.op("Div", total, count)
    norm = g.op("Max", g.op("ReduceL2", mean, axis1, keepdims=1), g.constant("tiny_norm", f32(1e-12)))
    g.nodes.append(helper.make_node("Div", [mean, norm], ["sentence_embedding"], name="out"))

    def tensor(name, kind, shape):
        return helper.make_tensor_value_info(name, kind, shape)

    shape = ["batch", "sequence"]
    inputs = [tensor("input_ids", TensorProto.INT64, shape), tensor("attention_mask", TensorProto.INT64, shape)]
    outputs = [tensor("sentence_embedding", TensorProto.FLOAT, ["batch", hidden])]
    graph = helper.make_graph(g.nodes, "sentence_encoder", inputs, outputs, g.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="make_minilm_onnx")
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model)
    return model


def reference(config, weights, ids, mask):
    """The same encoder in plain numpy, float64, written without ONNX: what --check compares with."""
    from math import erf

    erf_of = np.vectorize(erf)
    heads, hidden = config["num_attention_heads"], config["hidden_size"]
    width, epsilon = hidden // heads, config["layer_norm_eps"]
    w = {name: array.astype(np.float64) for name, array in weights.items() if array.dtype == np.float32}
    batch, sequence = ids.shape

    def normalise(x, p):
        mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        return (x - mean) / np.sqrt(variance + epsilon) * w[p + ".weight"] + w[p + ".bias"]

    def dense(x, p):
        return x @ w[p + ".weight"].T + w[p + ".bias"]

    x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][:sequence]
    x = normalise(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for layer in range(config["num_hidden_layers"]):
        p = f"encoder.layer.{layer}."

        def split(name):
            part = dense(x, p + f"attention.self.{name}")
            return part.reshape(batch, sequence, heads, width).transpose(0, 2, 1, 3)

        query, key, value = split("query"), split("key"), split("value")
        score = query @ key.transpose(0, 1, 3, 2) / np.sqrt(width) + (1.0 - mask)[:, None, None, :] * -10000.0
        score = np.exp(score - score.max(-1, keepdims=True))
        score /= score.sum(-1, keepdims=True)
        context = (score @ value).transpose(0, 2, 1, 3).reshape(batch, sequence, hidden)
        x = normalise(dense(context, p + "attention.output.dense") + x, p + "attention.output.LayerNorm")
        inner = dense(x, p + "intermediate.dense")
        inner = 0.5 * inner * (1 + erf_of(inner / np.sqrt(2)))
        x = normalise(dense(inner, p + "output.dense") + x, p + "output.LayerNorm")
    weight = mask[..., None].astype(np.float64)
    y = (x * weight).sum(1) / np.maximum(weight.sum(1), 1e-9)
    return y / np.maximum(np.linalg.norm(y, axis=1, keepdims=True), 1e-12)


def check(config, weights, graph_path):
    """Compares the graph with the numpy reference on random word pieces of mixed lengths (needs onnxruntime)."""
    import onnxruntime

    random = np.random.default_rng(1)
    lengths = [3, 7, 12, 40]
    ids = random.integers(1000, config["vocab_size"], (len(lengths), max(lengths)), dtype=np.int64)
    mask = np.array([[1] * n + [0] * (max(lengths) - n) for n in lengths], np.int64)
    session = onnxruntime.InferenceSession(graph_path, providers=["CPUExecutionProvider"])
    got = session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
    difference = float(np.abs(got - reference(config, weights, ids, mask)).max())
    print(f"make_minilm_onnx: largest difference to the numpy reference {difference:.1e}")
    if difference > 1e-5:
        sys.exit("make_minilm_onnx: the graph does not compute what the reference computes")


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model_dir")
    parser.add_argument("out_dir")
    parser.add_argument("--name", default="all-MiniLM-L6-v2")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()

    weights_path = os.path.join(arguments.model_dir, "model.safetensors")
    with open(os.path.join(arguments.model_dir, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    weights = load_file(weights_path)
    os.makedirs(arguments.out_dir, exist_ok=True)
    graph_path = os.path.join(arguments.out_dir, "model.onnx")
    with open(graph_path, "wb") as file:
        file.write(build(config, weights).SerializeToString(deterministic=True))
    if arguments.check:
        check(config, weights, graph_path)
    for name in ("tokenizer.json", "config.json"):
        shutil.copyfile(os.path.join(arguments.model_dir, name), os.path.join(arguments.out_dir, name))
    manifest = {
        "format": 1,
        "name": arguments.name,
        "weights_sha256": sha256(weights_path),
        "tokenizer_sha256": sha256(os.path.join(arguments.out_dir, "tokenizer.json")),
        "graph_sha256": sha256(graph_path),
        "dimensions": config["hidden_size"],
        "max_word_pieces": MAX_WORD_PIECES,
    }
    # Last, and by rename: a folder with a manifest is complete.
    unfinished = os.path.join(arguments.out_dir, "manifest.json.new")
    with open(unfinished, "w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=2)
        file.write("\n")
    os.replace(unfinished, os.path.join(arguments.out_dir, "manifest.json"))
    print(f"make_minilm_onnx: model.onnx, {os.path.getsize(graph_path) / 1e6:.1f} MB, sha256 {manifest['graph_sha256']}")


if __name__ == "__main__":
    main()
