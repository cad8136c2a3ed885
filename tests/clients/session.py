"""A session with the vendors' own clients on the simulated cloud: it must not notice the difference."""

import os

import pydo
from azure.core.exceptions import HttpResponseError
from cloudflare import BadRequestError, Cloudflare


def digitalocean():
    client = pydo.Client(token=os.environ["DIGITALOCEAN_TOKEN"], endpoint=os.environ["DIGITALOCEAN_API_URL"])
    http = {"enforce_https": False}
    wanted = {"name": "client.example.com", "region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-13-x64", "tags": ["client"]}
    made = client.droplets.create(body=wanted, **http)
    droplet = made["droplet"]["id"]
    assert made["droplet"]["status"] == "new" and made["droplet"]["networks"]["v4"] == []
    for _ in range(20):
        seen = client.droplets.get(droplet, **http)
        if seen.get("droplet", {}).get("networks", {}).get("v4"):
            break
    assert seen["droplet"]["status"] == "active", seen
    for _ in range(5):
        listed = client.droplets.list(tag_name="client", **http)["droplets"]
    assert [d["id"] for d in listed] == [droplet]
    try:
        client.droplets.create(body={**wanted, "name": "not a host name"}, **http)
        raise AssertionError("a bad name was taken")
    except HttpResponseError as error:
        assert error.status_code == 422
    client.droplets.destroy(droplet, **http)
    for _ in range(10):
        gone = client.droplets.get(droplet, **http)
    assert gone["id"] == "not_found", gone
    print("pydo: created, listed, refused, destroyed")


def cloudflare():
    client = Cloudflare(api_token=os.environ["CLOUDFLARE_API_TOKEN"], base_url=os.environ["CLOUDFLARE_BASE_URL"], max_retries=0)
    zone = client.zones.list(name="example.com").result[0].id
    record = {"zone_id": zone, "type": "A", "name": "client.example.com", "content": "203.0.113.5", "ttl": 300}
    made = client.dns.records.create(**record)
    try:
        client.dns.records.create(**record)
        raise AssertionError("an identical record was taken")
    except BadRequestError as error:
        assert error.errors[0].code == 81058, error.errors
    edited = client.dns.records.edit(made.id, zone_id=zone, type="A", name=record["name"], content="203.0.113.6", ttl=300)
    assert edited.content == "203.0.113.6"
    # The client pages until it is given an empty page.
    assert [r.id for r in client.dns.records.list(zone_id=zone)] == [made.id]
    batch = client.dns.records.batch(
        zone_id=zone,
        deletes=[{"id": made.id}],
        posts=[{"type": "CNAME", "name": "client.example.com", "content": "example.net", "ttl": 1}],
    )
    assert batch.posts[0].content == "example.net"
    client.dns.records.delete(batch.posts[0].id, zone_id=zone)
    assert list(client.dns.records.list(zone_id=zone)) == []
    assert client.user.tokens.verify().status == "active"
    print("cloudflare: created, refused a second, edited, paged, batched, deleted")


digitalocean()
cloudflare()
print("2 passed, 0 failed")
