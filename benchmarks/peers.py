"""Other load testers on the same work: each as its users run it, in an environment of its own, on the first core."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from truth import TruthServer, core

MODEL = "us.anthropic.claude-haiku-4-5-20251001-v1:0"

LLMETER = """
import asyncio, json, sys, time
import boto3
from botocore.config import Config
from llmeter.endpoints import BedrockConverseStream
from llmeter.runner import Runner
url, model, clients, each = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
sdk = boto3.client("bedrock-runtime", region_name="us-east-1", endpoint_url=url,
                   config=Config(max_pool_connections=clients, retries={"total_max_attempts": 1}))
endpoint = BedrockConverseStream(model, region="us-east-1", bedrock_boto3_client=sdk)
payload = [endpoint.create_payload(f"Hello {i}", max_tokens=64) for i in range(20)]
began, cpu = time.perf_counter(), time.process_time()
result = asyncio.run(Runner(endpoint).run(payload=payload, clients=clients, n_requests=each, run_name="r"))
wall, cpu = time.perf_counter() - began, time.process_time() - cpu
ttft = sorted(one.time_to_first_token for one in result.responses if one.time_to_first_token)
e2e = sorted(one.time_to_last_token for one in result.responses if one.time_to_last_token)
at = lambda values, q: values[min(len(values) - 1, int(q * len(values)))]
print(json.dumps([len(ttft), len(ttft) / wall, at(ttft, 0.5), at(ttft, 0.99), at(e2e, 0.99), cpu]))
"""

TOKENIZER = """
import sys
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast
made = Tokenizer(models.BPE())
made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
text = [open(path, errors="ignore").read() for path in sys.argv[2:]]
alphabet = pre_tokenizers.ByteLevel.alphabet()
made.train_from_iterator(text, trainers.BpeTrainer(vocab_size=4096, initial_alphabet=alphabet,
                                                   special_tokens=["<s>", "</s>", "<pad>"]))
tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
tokenizer.save_pretrained(sys.argv[1])
"""


@dataclass(frozen=True, kw_only=True)
class Reported:
    """What a peer says of itself. Seconds; None: it does not say."""

    api: str
    n: int
    rate: float
    ttft_p50_s: float
    ttft_p99_s: float
    e2e_p99_s: float | None
    cpu_s: float | None


def llmeter(server: TruthServer, venv: Path, streams: int, rounds: int, *, tokenizer: Path | None) -> Reported:
    """Threads over boto3."""
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "LLMETER_DISABLE_ALL_PROGRESS_BARS": "1"}
    told, _ = _run([venv / "bin/python", "-c", LLMETER, server.url, MODEL, streams, rounds], **keys)
    n, rate, p50, p99, e2e, cpu = json.loads(told.splitlines()[-1])
    return Reported(api="converse", n=n, rate=rate, ttft_p50_s=p50, ttft_p99_s=p99, e2e_p99_s=e2e, cpu_s=cpu)


def aiperf(server: TruthServer, venv: Path, streams: int, rounds: int, *, tokenizer: Path | None) -> Reported:
    """Several processes over aiohttp; it speaks chat completions."""
    with tempfile.TemporaryDirectory() as folder:
        n = streams * rounds
        _, cpu_s = _run([
            venv / "bin/aiperf", "profile", "-m", MODEL, "--url", server.url, "--endpoint-type", "chat", "--streaming",
            "--tokenizer", _tokenizer(venv, tokenizer), "--use-server-token-count", "--synthetic-input-tokens-mean", 32,
            "--output-tokens-mean", 100, "--concurrency", streams, "--request-count", n, "--ui", "none",
            "--no-gpu-telemetry", "--no-server-metrics", "--artifact-dir", folder, "--api-key", "made-up",
        ])  # fmt: skip
        found = json.loads(next(Path(folder).rglob("*aiperf.json")).read_text())
    ttft, e2e = found["time_to_first_token"], found["request_latency"]
    return Reported(
        api="openai", n=int(found["request_count"]["avg"]), rate=found["request_throughput"]["avg"],
        ttft_p50_s=ttft["p50"] / 1e3, ttft_p99_s=ttft["p99"] / 1e3, e2e_p99_s=e2e["p99"] / 1e3, cpu_s=cpu_s,
    )  # fmt: skip


def guidellm(server: TruthServer, venv: Path, streams: int, rounds: int, *, tokenizer: Path | None) -> Reported:
    """Worker processes over httpx; it speaks chat completions."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "told.json"
        processor = _tokenizer(venv, tokenizer)
        backend = f"kind=openai_http,target={server.url},model={MODEL},api_key=made-up,validate_backend=false"
        _, cpu_s = _run([
            venv / "bin/guidellm", "run", "--backend", backend,
            "--profile", f"kind=concurrent,streams={streams}",
            "--constraint", f"kind=max_requests,count={streams * rounds}",
            "--tokenizer", f"kind=huggingface_auto,model={processor}",
            "--data", "kind=synthetic_text,prompt_tokens=32,output_tokens=100",
            "--output", f"kind=json,path={path}", "--disable-progress",
        ], HF_HUB_OFFLINE="1")  # fmt: skip
        metrics: dict[str, Any] = json.loads(path.read_text())["benchmarks"][0]["metrics"]
    ttft, e2e = metrics["time_to_first_token_ms"]["successful"], metrics["request_latency"]["successful"]
    return Reported(
        api="openai", n=ttft["count"], rate=metrics["requests_per_second"]["successful"]["mean"],
        ttft_p50_s=ttft["median"] / 1e3, ttft_p99_s=ttft["percentiles"]["p99"] / 1e3,
        e2e_p99_s=e2e["percentiles"]["p99"], cpu_s=cpu_s,
    )  # fmt: skip


def _tokenizer(venv: Path, folder: Path | None) -> Path:
    """A tokenizer made on the spot, so that none has to be fetched: bytes and a few merges."""
    if folder is None:
        raise SystemExit("--tokenizer DIR: aiperf and guidellm need one; a folder that is not there yet is made")
    if not folder.exists():
        _run([venv / "bin/python", "-c", TOKENIZER, folder, *sorted(Path(__file__).parent.glob("*.py"))])
    return folder


def _run(command: list[Any], **variables: str) -> tuple[str, float]:
    """What it prints, and the CPU seconds that it and its children took, start-up and all."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        list(map(str, command)), env={**os.environ, **variables}, capture_output=True, text=True, timeout=900,
        preexec_fn=lambda: os.sched_setaffinity(0, core(0)),
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{command[0]} ended with {done.returncode}: {done.stderr[-2000:]}{done.stdout[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
