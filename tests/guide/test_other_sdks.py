"""The guide's own calls outside Python: the AWS CLI, and the TypeScript SDK on Node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

SONNET = "global.anthropic.claude-sonnet-4-5-20250929-v1:0"
AWS = os.environ.get("HARNESS_AWS_CLI") or shutil.which("aws")
NODE = shutil.which("node")
NODE_MODULES = os.environ.get("HARNESS_NODE_MODULES", "")
REQUIRED = bool(os.environ.get("HARNESS_REQUIRE_SDKS"))

needs_aws = pytest.mark.skipif(
    AWS is None and not REQUIRED, reason="no AWS CLI here; HARNESS_REQUIRE_SDKS=1 makes that a failure"
)
needs_node = pytest.mark.skipif(
    not NODE_MODULES and not REQUIRED, reason="no HARNESS_NODE_MODULES; HARNESS_REQUIRE_SDKS=1 makes that a failure"
)

SCRIPT = """\
import AnthropicBedrock from "@anthropic-ai/bedrock-sdk";

const client = new AnthropicBedrock({
  awsAccessKey: "MADEUPKEYID",
  awsSecretKey: "made-up-secret",
  awsRegion: "us-west-2",
  baseURL: process.env.BEDROCK_URL,
});
const request = {
  anthropic_version: "bedrock-2023-05-31",
  model: "MODEL",
  max_tokens: 256,
  messages: [{ role: "user", content: "Capital of France? One word." }],
};
const message = await client.messages.create(request);
let streamed = "";
for await (const event of await client.messages.create({ ...request, stream: true })) {
  if (event.type === "content_block_delta") streamed += event.delta.text;
}
console.log(JSON.stringify({ stop: message.stop_reason, text: message.content[0].text, streamed }));
"""


def run_aws(url: str, environment: dict[str, str], *arguments: str) -> dict[str, object]:
    assert AWS is not None, "HARNESS_REQUIRE_SDKS is set and there is no AWS CLI"
    command = [AWS, *arguments, "--endpoint-url", url, "--output", "json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert 0 == done.returncode, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


@needs_aws
def test_row_1_sts_get_caller_identity(bedrock_url: str, clean_environment: dict[str, str]) -> None:
    identity = run_aws(bedrock_url, clean_environment, "sts", "get-caller-identity", "--region=us-west-2")
    assert {"UserId", "Account", "Arn"} == set(identity)


@needs_aws
def test_row_5_bedrock_list_foundation_models_by_provider(bedrock_url: str, clean_environment: dict[str, str]) -> None:
    arguments = ("bedrock", "list-foundation-models", "--region=us-west-2", "--by-provider", "anthropic")
    summaries = run_aws(bedrock_url, clean_environment, *arguments)["modelSummaries"]
    assert isinstance(summaries, list)
    assert "anthropic.claude-sonnet-4-5-20250929-v1:0" in {each["modelId"] for each in summaries}


@needs_node
def test_row_2_the_typescript_sdk_creates_and_streams_messages(
    bedrock_url: str, clean_environment: dict[str, str], tmp_path: Path
) -> None:
    assert NODE is not None, "HARNESS_REQUIRE_SDKS is set and there is no Node.js"
    (tmp_path / "node_modules").symlink_to(Path(NODE_MODULES).resolve())
    (tmp_path / "guide.mjs").write_text(SCRIPT.replace("MODEL", SONNET))
    done = subprocess.run(
        [NODE, "guide.mjs"],
        cwd=tmp_path,
        env={**clean_environment, "BEDROCK_URL": bedrock_url},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert 0 == done.returncode, done.stderr
    answer = json.loads(done.stdout)
    assert "end_turn" == answer["stop"]
    assert answer["text"]
    assert answer["streamed"]
