#!/usr/bin/env python3
"""Writes the manifest.json by which Assay opens and identifies a model. Needs Python only.

    make_manifest.py FOLDER --kind embedding --name all-mpnet-base-v2 --weights model.safetensors \\
        --dimensions 768 --max-word-pieces 384 --pooling mean --normalise
    make_manifest.py FOLDER --kind sequence_classification --name NAME --weights model.safetensors --max-word-pieces 512
    make_manifest.py FOLDER --kind causal_language_model --name NAME --weights FILE --dimensions VOCABULARY --max-word-pieces 8192

FOLDER holds model.onnx, tokenizer.json and, where the graph keeps its weights in a second file, model.onnx_data. --weights is
the file as published, whose SHA-256 names the model in recorded evidence and in rule sets; the graph is only derived from it.
Without --weights, the graph (and its model.onnx_data) is what is published.
"""
import argparse
import hashlib
import json
import os

KINDS = {"embedding": None, "sequence_classification": 1, "causal_language_model": None}
POOLING = ("in_graph", "mean", "first")


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def write_manifest(folder, kind, name, dimensions, max_word_pieces, pooling=None, normalise=False, weights=None):
    """Last of all, and by rename: a folder with a manifest is complete."""
    graph, data = os.path.join(folder, "model.onnx"), os.path.join(folder, "model.onnx_data")
    manifest = {
        "format": 2,
        "kind": kind,
        "name": name,
        "weights_sha256": sha256(weights or (data if os.path.exists(data) else graph)),
        "tokenizer_sha256": sha256(os.path.join(folder, "tokenizer.json")),
        "graph_sha256": sha256(graph),
        "dimensions": dimensions,
        "max_word_pieces": max_word_pieces,
    }
    if os.path.exists(data):
        manifest["graph_data_sha256"] = sha256(data)
    if kind == "embedding":
        manifest |= {"pooling": pooling, "normalise": normalise}
    unfinished = os.path.join(folder, "manifest.json.new")
    with open(unfinished, "w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=2)
        file.write("\n")
    os.replace(unfinished, os.path.join(folder, "manifest.json"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--kind", required=True, choices=KINDS)
    parser.add_argument("--name", required=True)
    parser.add_argument("--weights", help="the published weights; the graph itself if not given")
    parser.add_argument("--dimensions", type=int, help="numbers in a vector, or words of the vocabulary")
    parser.add_argument("--max-word-pieces", type=int, required=True)
    parser.add_argument("--pooling", choices=POOLING)
    parser.add_argument("--normalise", action="store_true")
    given = parser.parse_args()
    dimensions = KINDS[given.kind] or given.dimensions
    if dimensions is None:
        parser.error(f"{given.kind} needs --dimensions")
    if (given.kind == "embedding") != (given.pooling is not None):
        parser.error("--pooling belongs to embeddings, and they need it")
    write_manifest(
        given.folder, given.kind, given.name, dimensions, given.max_word_pieces, given.pooling, given.normalise, given.weights
    )


if __name__ == "__main__":
    main()
