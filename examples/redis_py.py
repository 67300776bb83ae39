"""Numbers with redis-py: PORT=6380 python3 examples/redis_py.py"""

import os
import re
import time

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

client = redis.Redis(
    host="127.0.0.1",
    port=int(os.environ.get("PORT", 6380)),
    decode_responses=True,
    # It connects again, and sends the command that failed again. A GET then takes another number.
    retry=Retry(ExponentialBackoff(cap=1, base=0.05), 3),
    retry_on_error=[redis.ConnectionError, redis.TimeoutError],
)

# Define: once, or at every start, as what is defined already stays as it is. The strategy is chosen here:
# pre_close is fast, and skips up to 5 % of the numbers in a crash; elegant_close (the default) skips none.
client.hset("order_id", mapping={"type": 3, "starting": 1000, "auto_disk": "pre_close"})
client.hset(
    "invoice", mapping={"type": 2, "length": 6, "starting": 1, "auto_disk": "elegant_close"}
)


def take(name):
    """Takes a number, and waits for one while the server is away, or cannot write."""
    while True:
        try:
            return client.get(name)
        except redis.AuthenticationError:
            raise  # A missing password, to redis-py a kind of ConnectionError.
        except redis.ResponseError as error:
            # Any other refusal stays one: the name is not defined, its line has ended, a right is missing.
            if not re.match("(storage|store) unavailable", str(error)):
                raise
        except (redis.ConnectionError, redis.TimeoutError):
            # Where the connection broke, a number may have been on its way. Nobody else gets it: it is skipped.
            pass
        time.sleep(0.1)


# Take. Numbers are strings, to be kept so: as an int an invoice would lose its zeros.
print(f"one: {take('order_id')}")
print(f"without gaps: {take('invoice')}")

# Take many at once: in one command of all or none, or in one write. By default a pipeline is a transaction.
print(f"many: {', '.join(client.mget('order_id', 'order_id', 'order_id'))}")
results = client.pipeline(transaction=False).get("order_id").get("order_id").execute()
print(f"pipelined: {', '.join(results)}")
transaction = client.pipeline().get("order_id").get("invoice").execute()
print(f"in a transaction: {', '.join(transaction)}")

# Reconnect: here it closes its own connection, as a server that is started anew would.
client.client_kill_filter(_id=client.client_id(), skipme=False)
print(f"connected again: {take('order_id')}")

info = client.info("order_id")
print(f"next: {info['current']}")

# Errors. redis-py leaves out the `ERR ` they start with.
client.hset("one_digit", mapping={"type": 2, "length": 1, "starting": 9})
try:
    take("one_digit")
except redis.ResponseError:
    pass
for command in [
    lambda: take("nobody"),
    lambda: take("one_digit"),
    lambda: client.hset("order_id", mapping={"step": 7}),
    lambda: client.hset("voucher", mapping={"type": 1, "length": 19}),
]:
    try:
        command()
    except redis.ResponseError as error:
        print(f"refused: {error}")

client.close()
