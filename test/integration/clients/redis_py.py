"""redis-py behind the adapter of the conformance suite.

Reads one JSON array a line, [method, argument ...], and answers each with one line:
{"result": ...} or {"error": {"type": ..., "text": ...}}.
"""

import json
import sys

import redis


class Adapter:
    def connect(self, port):
        self.client = redis.Redis(host="127.0.0.1", port=port, decode_responses=True)
        return self.client.ping()

    def close(self):
        self.client.close()

    def define(self, name, fields):
        return self.client.hset(name, mapping=fields)

    def take(self, name):
        return self.client.get(name)

    def takeMany(self, name, count):
        pipeline = self.client.pipeline(transaction=False)
        for _ in range(count):
            pipeline.get(name)
        return pipeline.execute()

    def takeManyInTransaction(self, name, count):
        # By default a pipeline is a transaction.
        with self.client.pipeline() as pipeline:
            for _ in range(count):
                pipeline.get(name)
            return pipeline.execute()

    def transact(self, commands):
        with self.client.pipeline() as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            return pipeline.execute()

    def takeEach(self, names):
        return self.client.mget(names)

    def infoOf(self, name):
        return texts(self.client.info(name))

    def serverInfo(self):
        return texts(self.client.info())

    def definitionOf(self, name):
        return self.client.hgetall(name)

    def exists(self, name):
        return self.client.exists(name) == 1

    def remove(self, names):
        return self.client.delete(*names)

    def names(self, pattern):
        return list(self.client.scan_iter(match=pattern))

    def clientInfo(self):
        return texts(self.client.client_info())

    def clientList(self):
        return [texts(client) for client in self.client.client_list()]


def texts(fields):
    """redis-py makes numbers of digits; JSON, as the other side reads it, would round them."""
    return {field: str(value) for field, value in fields.items()}


def main():
    adapter = Adapter()
    for line in sys.stdin:
        method, *arguments = json.loads(line)
        try:
            answer = {"result": getattr(adapter, method)(*arguments)}
        except Exception as error:
            answer = {"error": {"type": type(error).__name__, "text": str(error)}}
        print(json.dumps(answer), flush=True)


main()
