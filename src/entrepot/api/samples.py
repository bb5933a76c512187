"""Ready-made calls of an action in every language that UCloud has an SDK for, with what a form holds filled in.

Keys are placeholders that the reader replaces. Values are written as literals of the language, never pasted raw.
"""

import json
import shlex
from collections.abc import Mapping
from typing import NamedTuple

PUBLIC_KEY = "YOUR_PUBLIC_KEY"
PRIVATE_KEY = "YOUR_PRIVATE_KEY"
URL = "http://hub.example.com:5000"


class Sample(NamedTuple):
    """One language: its name for people, the name of its highlighting, and the text."""

    title: str
    language: str
    text: str


def samples(action: str, params: Mapping[str, str], url: str = URL) -> list[Sample]:
    """The call in every language; ``params`` are flat wire parameters (Tag.0), without Action, keys and Signature."""
    return [
        Sample("curl", "sh", curl(action, params, url)),
        Sample("Python", "python", python(action, params, url)),
        Sample("Go", "go", go(action, params, url)),
        Sample("Java", "java", java(action, params, url)),
        Sample("JavaScript", "js", javascript(action, params, url)),
        Sample("PHP", "php", php(action, params, url)),
        Sample("ucloud CLI", "sh", ucloud(action, params, url)),
        Sample("entrepot CLI", "sh", own(action, params, url)),
    ]


def curl(action: str, params: Mapping[str, str], url: str) -> str:
    """A form whose signature the shell computes: sorted names and values, the private key, SHA-1."""
    fields = {"Action": action, **params}
    sent = " \\\n".join(f"  --data-urlencode {shlex.quote(f'{name}={value}')}" for name, value in fields.items())
    ordered = sorted([*fields, "PublicKey"], key=str.encode)
    text = "".join(
        shlex.quote(name) + ('"$PUBLIC_KEY"' if name == "PublicKey" else shlex.quote(fields[name])) for name in ordered
    )
    return (
        f"PUBLIC_KEY={PUBLIC_KEY}\nPRIVATE_KEY={PRIVATE_KEY}\n"
        f"SIGNATURE=$(printf %s {text}\"$PRIVATE_KEY\" | sha1sum | cut -d' ' -f1)\n"
        f"curl {shlex.quote(url + '/')} \\\n{sent} \\\n"
        '  --data-urlencode "PublicKey=$PUBLIC_KEY" \\\n  --data-urlencode "Signature=$SIGNATURE"\n'
    )


def python(action: str, params: Mapping[str, str], url: str) -> str:
    """ucloud-sdk-python3, generic call."""
    region = params.get("Region", "")
    rest = {name: value for name, value in params.items() if name != "Region"}
    given = "\n".join(f"    {_py(name)}: {_py(value)}," for name, value in rest.items())
    where = f'\n    "region": {_py(region)},' if region else ""
    body = f"{{\n{given}\n}}" if given else "{}"
    return (
        "# pip install ucloud-sdk-python3\n"
        "from ucloud.client import Client\n\n"
        f'client = Client({{\n    "base_url": {_py(url)},\n'
        f'    "public_key": "{PUBLIC_KEY}",\n    "private_key": "{PRIVATE_KEY}",{where}\n}})\n'
        f"print(client.invoke({_py(action)}, {body}))\n"
    )


def _py(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def go(action: str, params: Mapping[str, str], url: str) -> str:
    """ucloud-sdk-go, generic call."""
    listed = "\n".join(f"\t\t{_go(name)}: {_go(value)}," for name, value in {"Action": action, **params}.items())
    return f"""// go mod init main && go get github.com/ucloud/ucloud-sdk-go && go run .
package main

import (
	"fmt"
	"log"

	"github.com/ucloud/ucloud-sdk-go/ucloud"
	"github.com/ucloud/ucloud-sdk-go/ucloud/auth"
)

func main() {{
	config := ucloud.NewConfig()
	config.BaseUrl = {_go(url)}
	credential := auth.NewCredential()
	credential.PublicKey = "{PUBLIC_KEY}"
	credential.PrivateKey = "{PRIVATE_KEY}"
	client := ucloud.NewClient(&config, &credential)

	request := client.NewGenericRequest()
	err := request.SetPayload(map[string]interface{{}}{{
{listed}
	}})
	if err != nil {{
		log.Fatal(err)
	}}
	answer, err := client.GenericInvoke(request)
	if err != nil {{
		log.Fatal(err)
	}}
	fmt.Println(answer.GetPayload())
}}
"""


def _go(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def java(action: str, params: Mapping[str, str], url: str) -> str:
    """ucloud-sdk-java-common, a request class of one's own."""
    fields = []
    for place, (name, value) in enumerate(params.items()):
        if name != "Region":
            fields.append(f"        @UCloudParam({_java(name)}) public String p{place} = {_java(value)};")
    declared = "\n".join(fields)
    region = f"\n        call.setRegion({_java(params['Region'])});" if "Region" in params else ""
    return f"""// Maven: cn.ucloud:ucloud-sdk-java-common
import cn.ucloud.common.annotation.UCloudParam;
import cn.ucloud.common.client.DefaultClient;
import cn.ucloud.common.config.Config;
import cn.ucloud.common.credential.Credential;
import cn.ucloud.common.request.Request;
import cn.ucloud.common.response.Response;

public final class Main {{
    public static final class Call extends Request {{
{declared}
    }}

    public static void main(String[] words) throws Exception {{
        Config config = new Config();
        config.setBaseUrl({_java(url)});
        DefaultClient client = new DefaultClient(config, new Credential("{PUBLIC_KEY}", "{PRIVATE_KEY}"));
        Call call = new Call();
        call.setAction({_java(action)});{region}
        Response answer = client.invoke(call, Response.class);
        System.out.println(answer.getRetCode() + " " + answer.getMessage());
    }}
}}
"""


def _java(text: str) -> str:
    return json.dumps(text)


def javascript(action: str, params: Mapping[str, str], url: str) -> str:
    """ucloud-sdk-js, generic call."""
    listed = "\n".join(f"    {_js(name)}: {_js(value)}," for name, value in {"Action": action, **params}.items())
    return f"""// npm install @ucloud-sdks/ucloud-sdk-js
const {{ Client, Request }} = require('@ucloud-sdks/ucloud-sdk-js');

const client = new Client({{
  config: {{ baseUrl: {_js(url)} }},
  credential: {{ publicKey: '{PUBLIC_KEY}', privateKey: '{PRIVATE_KEY}' }},
}});

client
  .invoke(new Request({{
{listed}
  }}))
  .then((answer) => console.log(answer.toObject()))
  .catch((fault) => console.error(fault.retCode, fault.message));
"""


def _js(text: str) -> str:
    plain = json.dumps(text)
    return "'" + plain[1:-1].replace('\\"', '"').replace("'", "\\'") + "'"


def php(action: str, params: Mapping[str, str], url: str) -> str:
    """ucloud-sdk-php, generic call."""
    listed = "\n".join(f"    {_php(name)} => {_php(value)}," for name, value in params.items())
    return f"""<?php
// composer require ucloud/ucloud-sdk-php
require 'vendor/autoload.php';

use UCloud\\Core\\Client;
use UCloud\\Core\\Request\\Request;

$client = new Client([
    'baseUrl' => {_php(url)},
    'publicKey' => '{PUBLIC_KEY}',
    'privateKey' => '{PRIVATE_KEY}',
]);
$request = new Request([
    'Action' => {_php(action)},
{listed}
]);
print_r($client->invoke($request)->toArray());
"""


def _php(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def ucloud(action: str, params: Mapping[str, str], url: str) -> str:
    """ucloud-cli; its profile holds URL and keys."""
    words = " ".join(f"--{name} {shlex.quote(value)}" for name, value in params.items())
    return (
        f"ucloud config add --profile hub --active true --base-url {shlex.quote(url + '/')} \\\n"
        f"  --public-key {PUBLIC_KEY} --private-key {PRIVATE_KEY}\n"
        f"ucloud api --Action {action} {words}".rstrip()
        + "\n"
    )


def own(action: str, params: Mapping[str, str], url: str) -> str:
    """The hub's own command line."""
    words = " ".join(f"--{name.partition('.')[0]} {shlex.quote(value)}" for name, value in params.items())
    return (
        f"export ENTREPOT_URL={shlex.quote(url)}\n"
        f"export ENTREPOT_PUBLIC_KEY={PUBLIC_KEY} ENTREPOT_PRIVATE_KEY={PRIVATE_KEY}\n"
        f"entrepot api {action} {words}".rstrip()
        + "\n"
    )
