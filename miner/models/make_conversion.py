#!/usr/bin/env python3
"""Trains the conversion miner's network and writes conversion.onnx beside this file.

    pip install -r requirements.txt
    python make_conversion.py          # trains, writes, checks with onnxruntime

A 40-64-32-1 network (ReLU, sigmoid in the graph) learns the subnet's public label rule from synthetic conversations: the same
distributions, rounding and consistency rules as the challenges of `domain::conversion::generate`, and the label of
`domain::conversion::truth`. Nothing is read but this file. With one seed and one thread the result is the same from run to
run; another numpy or BLAS may change last digits of the weights, not what the network has learned.

Input `features`, float32 (N, 40): (feature - mean) / scale, features in the order of the metadata. Output `probability`,
float32 (N, 1): of a conversion. Metadata: `feature_order`, `feature_mean`, `feature_scale` (JSON lists), `positive_seconds`
(mean time to conversion of the training data's positives), and what the network was trained and tested on.
"""

import json
import os
from pathlib import Path

# One thread: BLAS sums in another order with more.
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SEED = 20250506
TRAINING, TEST = 120_000, 20_000
EPOCHS, BATCH = 60, 256
LAYERS = (40, 64, 32, 1)
HERE = Path(__file__).resolve().parent

# The order in which a model takes the features.
ORDER = """conversation_duration_seconds conversation_duration_minutes hour_of_day day_of_week is_business_hours is_weekend
time_to_first_response_seconds avg_response_time_seconds max_response_time_seconds min_response_time_seconds
avg_agent_response_time_seconds avg_user_response_time_seconds response_time_stddev response_gap_max messages_per_minute
total_messages user_messages_count agent_messages_count message_ratio avg_message_length_user max_message_length_user
min_message_length_user total_chars_from_user avg_message_length_agent max_message_length_agent min_message_length_agent
total_chars_from_agent question_count_agent questions_per_agent_message question_count_user questions_per_user_message
sequential_user_messages sequential_agent_messages entities_collected_count has_target_entity avg_entity_confidence
min_entity_confidence entity_collection_rate repeated_questions message_alternation_rate""".split()

# mean, deviation, low, high, decimals; no decimals: cut to a whole number.
NORMAL = {
    "conversation_duration_seconds": (100, 20, 60, 150, 2),
    "entities_collected_count": (4, 1.5, 1, 6, None),
    "message_ratio": (1.3, 0.3, 1, 2, 2),
    "time_to_first_response_seconds": (10, 3, 5, 20, 2),
    "avg_response_time_seconds": (15, 2, 10, 20, 2),
    "max_response_time_seconds": (18, 2.5, 15, 25, 2),
    "min_response_time_seconds": (10, 2, 5, 15, 2),
    "avg_agent_response_time_seconds": (15, 2, 10, 20, 2),
    "avg_user_response_time_seconds": (15, 2, 10, 20, 2),
    "response_time_stddev": (3, 1, 0, 5, 2),
    "response_gap_max": (18, 2.5, 15, 25, 2),
    "total_messages": (8, 2, 4, 20, None),
    "avg_message_length_user": (40, 5, 20, 60, 2),
    "max_message_length_user": (50, 5, 30, 70, None),
    "min_message_length_user": (30, 5, 15, 45, None),
    "avg_message_length_agent": (75, 10, 50, 100, 2),
    "max_message_length_agent": (100, 15, 70, 130, None),
    "min_message_length_agent": (50, 10, 30, 80, None),
    "question_count_agent": (3, 1, 1, 5, None),
    "question_count_user": (1, 0.5, 0, 3, None),
    "sequential_user_messages": (2, 1, 1, 4, None),
    "avg_entity_confidence": (0.9, 0.02, 0.8, 0.95, 3),
    "min_entity_confidence": (0.85, 0.03, 0.8, 0.9, 3),
    "message_alternation_rate": (0.9, 0.1, 0.7, 1, 3),
}
# First and last whole number.
UNIFORM = {"has_target_entity": (0, 1), "hour_of_day": (8, 19), "day_of_week": (0, 6), "repeated_questions": (0, 1)}


def conversations(random, count):
    """Columns of `count` consistent conversations."""
    columns = {}
    for name, (mean, deviation, low, high, decimals) in NORMAL.items():
        held = np.clip(random.normal(mean, deviation, count), low, high)
        columns[name] = np.trunc(held) if decimals is None else np.round(held, decimals)
    for name, (first, last) in UNIFORM.items():
        columns[name] = random.integers(first, last, count, endpoint=True).astype(float)
    columns["sequential_agent_messages"] = np.ones(count)
    columns["entity_collection_rate"] = np.zeros(count)

    c = columns
    total = c["total_messages"]
    user = c["user_messages_count"] = np.trunc(total / (1 + 1 / c["message_ratio"]))
    agent = c["agent_messages_count"] = total - user
    c["conversation_duration_minutes"] = np.round(c["conversation_duration_seconds"] / 60, 4)
    c["total_chars_from_user"] = np.trunc(user * c["avg_message_length_user"])
    c["total_chars_from_agent"] = np.trunc(agent * c["avg_message_length_agent"])
    c["is_business_hours"] = ((c["hour_of_day"] >= 9) & (c["hour_of_day"] <= 17)).astype(float)
    c["is_weekend"] = np.isin(c["day_of_week"], (0, 6)).astype(float)
    for side, messages in (("user", user), ("agent", agent)):
        rate = np.divide(c[f"question_count_{side}"], messages, out=np.zeros(count), where=messages > 0)
        c[f"questions_per_{side}_message"] = np.round(rate, 4)
        average = c[f"avg_message_length_{side}"]
        c[f"min_message_length_{side}"] = np.minimum(c[f"min_message_length_{side}"], average)
        c[f"max_message_length_{side}"] = np.maximum(c[f"max_message_length_{side}"], average)
    c["messages_per_minute"] = np.round(total / c["conversation_duration_minutes"], 4)
    return columns


def labels(c):
    """Whether a conversation converts, and after how many seconds (-1 if not)."""
    target, entities = c["has_target_entity"] == 1, c["entities_collected_count"]
    ratio, duration = c["message_ratio"], c["conversation_duration_seconds"]
    happened = (target & (entities >= 4)) | ((ratio > 1.2) & (duration > 90))
    adjustment = 10 * target - 5 * np.maximum(0, entities - 3) + 5 * (1 - np.minimum(1, ratio / 2))
    return happened, np.where(happened, np.maximum(30, 0.7 * duration + adjustment), -1)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def forward(weights, x):
    """Outputs of all layers, the last one before the sigmoid."""
    outputs = [x]
    for at, (matrix, bias) in enumerate(weights):
        x = x @ matrix + bias
        outputs.append(np.maximum(x, 0) if at + 1 < len(weights) else x)
        x = outputs[-1]
    return outputs


def gradients(weights, x, y):
    """Of the mean binary cross entropy."""
    outputs = forward(weights, x)
    error = (sigmoid(outputs[-1]) - y) / len(x)
    found = []
    for at in reversed(range(len(weights))):
        found.append((outputs[at].T @ error, error.sum(axis=0)))
        if at:
            error = (error @ weights[at][0].T) * (outputs[at] > 0)
    return found[::-1]


def train(random, x, y):
    """Adam with a learning rate that falls as a cosine."""
    weights = [
        (random.normal(0, np.sqrt(2 / rows), (rows, columns)), np.zeros(columns))
        for rows, columns in zip(LAYERS, LAYERS[1:])
    ]
    flat = [part for layer in weights for part in layer]
    first, second = [np.zeros_like(p) for p in flat], [np.zeros_like(p) for p in flat]
    batches = len(x) // BATCH
    for step in range(EPOCHS * batches):
        if step % batches == 0:
            shuffled = random.permutation(len(x))
        chosen = shuffled[step % batches * BATCH :][:BATCH]
        rate = 3e-3 * 0.5 * (1 + np.cos(np.pi * step / (EPOCHS * batches)))
        slopes = [part for layer in gradients(weights, x[chosen], y[chosen]) for part in layer]
        for p, m, v, slope in zip(flat, first, second, slopes):
            m += 0.1 * (slope - m)
            v += 0.001 * (slope * slope - v)
            p -= rate * (m / (1 - 0.9 ** (step + 1))) / (np.sqrt(v / (1 - 0.999 ** (step + 1))) + 1e-8)
    return weights


def write(path, weights, metadata):
    nodes, initializers, name = [], [], "features"
    for at, (matrix, bias) in enumerate(weights, start=1):
        initializers.append(numpy_helper.from_array(matrix.astype(np.float32), f"weight_{at}"))
        initializers.append(numpy_helper.from_array(bias.astype(np.float32), f"bias_{at}"))
        last = at == len(weights)
        nodes.append(helper.make_node("Gemm", [name, f"weight_{at}", f"bias_{at}"], [f"sum_{at}"]))
        name = "probability" if last else f"layer_{at}"
        nodes.append(helper.make_node("Sigmoid" if last else "Relu", [f"sum_{at}"], [name]))
    graph = helper.make_graph(
        nodes,
        "conversion",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", LAYERS[0]])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["batch", LAYERS[-1]])],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8, producer_name="assay")
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def check(path, table, expected, happened):
    """Runs the written file as a miner would: features, order and scaling from the file alone."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    stored = session.get_modelmeta().custom_metadata_map
    order = json.loads(stored["feature_order"])
    mean, scale = (np.array(json.loads(stored[key])) for key in ("feature_mean", "feature_scale"))
    x = np.stack([table[name] for name in order], axis=1)
    found = session.run(None, {"features": ((x - mean) / scale).astype(np.float32)})[0]
    difference = float(np.abs(found - expected).max())
    accuracy = float(((found[:, 0] > 0.5) == happened).mean())
    assert difference < 1e-4, difference
    print(f"onnxruntime {onnxruntime.__version__}: accuracy {accuracy:.4f}, largest difference {difference:.1e}")


def main():
    assert len(ORDER) == LAYERS[0] == len(set(ORDER))
    random = np.random.Generator(np.random.PCG64(SEED))
    training, test = conversations(random, TRAINING), conversations(random, TEST)
    happened, seconds = labels(training)
    matrix = np.stack([training[name] for name in ORDER], axis=1)
    mean, deviation = matrix.mean(axis=0), matrix.std(axis=0)
    # What never changes tells nothing: it is centred and left alone.
    scale = np.where(deviation > 0, deviation, 1.0)
    weights = train(random, (matrix - mean) / scale, happened[:, None].astype(float))

    truth, true_seconds = labels(test)
    x = (np.stack([test[name] for name in ORDER], axis=1) - mean) / scale
    probability = sigmoid(forward(weights, x)[-1])
    said = probability[:, 0] > 0.5
    quality = {
        "accuracy": f"{(said == truth).mean():.4f}",
        "recall_positive": f"{said[truth].mean():.4f}",
        "recall_negative": f"{(~said)[~truth].mean():.4f}",
    }
    metadata = {
        "feature_order": json.dumps(ORDER),
        "feature_mean": json.dumps([round(float(value), 9) for value in mean]),
        "feature_scale": json.dumps([round(float(value), 9) for value in scale]),
        "positive_seconds": f"{seconds[happened].mean():.2f}",
        "trained_on": f"{TRAINING} synthetic conversations, seed {SEED}",
        "tested_on": f"{TEST} further conversations",
        **quality,
    }
    path = HERE / "conversion.onnx"
    write(path, weights, metadata)
    print(f"{path.name}: {path.stat().st_size} bytes, positives {truth.mean():.4f}, {quality}")
    print("positive seconds", metadata["positive_seconds"], "of", f"{true_seconds[truth].mean():.2f}")
    check(path, test, probability, truth)


if __name__ == "__main__":
    main()
