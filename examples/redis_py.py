"""Numbers with redis-py: PORT=6380 python3 examples/redis_py.py"""

import os

import redis

client = redis.Redis(port=int(os.environ.get("PORT", 6380)), decode_responses=True)

# Once, or at every start: what is defined already stays as it is.
client.hset("order_id", mapping={"type": 3, "starting": 1000, "auto_disk": "pre_close"})

number = client.get("order_id")
print(f"one: {number}")

pipelined = client.pipeline(transaction=False).get("order_id").get("order_id").execute()
print(f"pipelined: {', '.join(pipelined)}")

# By default a pipeline is a transaction.
transaction = client.pipeline().get("order_id").get("order_id").execute()
print(f"in a transaction: {', '.join(transaction)}")

info = client.info("order_id")
print(f"next: {info['current']}")

try:
    client.get("nobody")
except redis.ResponseError as error:
    # Any other error is one of the connection.
    print(f"refused: {error}")

client.close()
