import java.lang.reflect.Field;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import software.amazon.dynamodb.services.local.main.ServerRunner;
import software.amazon.dynamodb.services.local.server.DynamoDBProxyServer;

/** How does DynamoDB Local listen on 127.0.0.1 alone? It has no option for it, so its server is told before it starts. */
public final class DynamoOnLoopback {
    public static void main(String[] args) throws Exception {
        DynamoDBProxyServer dynamo = ServerRunner.createServerFromCommandLineArgs(args);
        Field field = DynamoDBProxyServer.class.getDeclaredField("server");
        field.setAccessible(true);
        for (Connector connector : ((Server) field.get(dynamo)).getConnectors()) {
            ((ServerConnector) connector).setHost("127.0.0.1");
        }
        dynamo.start();
        dynamo.join();
    }
}
