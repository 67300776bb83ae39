// Numbers with Jedis: PORT=6380 java -cp 'lib/*' examples/Jedis.java
// where lib has redis.clients:jedis:7.5.3 of Maven, org.slf4j:slf4j-nop:1.7.36, and what these need.

import static redis.clients.jedis.Protocol.Command.CLIENT;

import java.util.List;
import java.util.Map;
import redis.clients.jedis.AbstractPipeline;
import redis.clients.jedis.AbstractTransaction;
import redis.clients.jedis.CommandArguments;
import redis.clients.jedis.RedisClient;
import redis.clients.jedis.Response;
import redis.clients.jedis.exceptions.JedisConnectionException;
import redis.clients.jedis.exceptions.JedisDataException;

class Jedis {
  static final int PORT = Integer.parseInt(System.getenv().getOrDefault("PORT", "6380"));
  /** A pool of connections, for all threads. */
  static final RedisClient client = RedisClient.create("127.0.0.1", PORT);

  /** Takes a number, and waits for one while the server is away, or cannot write. */
  static String take(String name) throws InterruptedException {
    while (true) {
      try {
        return client.get(name);
      } catch (JedisDataException refusal) {
        // Any other refusal stays one: the name is not defined, its line has ended, a right is missing.
        if (!refusal.getMessage().matches("ERR (storage|store) unavailable.*")) throw refusal;
      } catch (JedisConnectionException broken) {
        // Each connection of the pool that broke fails once. A number may have been on its way.
        // Nobody else gets it: it is skipped.
      }
      Thread.sleep(100);
    }
  }

  public static void main(String[] arguments) throws InterruptedException {
    // Define: once, or at every start, as what is defined already stays as it is. The strategy is chosen here:
    // pre_close is fast, and skips up to 5 % of the numbers in a crash; elegant_close (the default) skips none.
    client.hset("order_id", Map.of("type", "3", "starting", "1000", "auto_disk", "pre_close"));
    client.hset(
        "invoice",
        Map.of("type", "2", "length", "6", "starting", "1", "auto_disk", "elegant_close"));

    // Take. Numbers are strings, to be kept so: as a long an invoice would lose its zeros.
    System.out.println("one: " + take("order_id"));
    System.out.println("without gaps: " + take("invoice"));

    // Take many at once: in one command of all or none, or in one write.
    List<String> many = client.mget("order_id", "order_id", "order_id");
    System.out.println("many: " + String.join(", ", many));
    try (AbstractPipeline pipeline = client.pipelined()) {
      Response<String> first = pipeline.get("order_id");
      Response<String> second = pipeline.get("order_id");
      pipeline.sync();
      System.out.println("pipelined: " + first.get() + ", " + second.get());
    }
    try (AbstractTransaction transaction = client.multi()) {
      Response<String> first = transaction.get("order_id");
      Response<String> second = transaction.get("invoice");
      transaction.exec();
      System.out.println("in a transaction: " + first.get() + ", " + second.get());
    }

    // Reconnect: here it closes its own connection, as a server that is started anew would.
    Object id = client.executeCommand(new CommandArguments(CLIENT).add("ID"));
    client.executeCommand(
        new CommandArguments(CLIENT).add("KILL").add("ID").add(id).add("SKIPME").add("no"));
    System.out.println("connected again: " + take("order_id"));

    String info = client.info("order_id");
    System.out.println("next: " + info.replaceAll("(?s).*current:(\\d+).*", "$1"));

    // Errors.
    client.hset("one_digit", Map.of("type", "2", "length", "1", "starting", "9"));
    try {
      take("one_digit");
    } catch (JedisDataException taken) {
      // By an earlier run.
    }
    List<Command> commands =
        List.of(
            () -> take("nobody"),
            () -> take("one_digit"),
            () -> client.hset("order_id", Map.of("step", "7")),
            () -> client.hset("voucher", Map.of("type", "1", "length", "19")));
    for (Command command : commands) {
      try {
        command.run();
      } catch (JedisDataException refusal) {
        System.out.println("refused: " + refusal.getMessage());
      }
    }

    client.close();
  }

  interface Command {
    void run() throws InterruptedException;
  }
}
