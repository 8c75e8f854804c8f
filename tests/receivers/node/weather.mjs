// An agent as anybody writes one for Node: it knows OpenTelemetry, and nothing of telemetry.
import { context, SpanStatusCode, trace } from "@opentelemetry/api";
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-proto";
import { OTLPTraceExporter as JsonExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { LoggerProvider, SimpleLogRecordProcessor } from "@opentelemetry/sdk-logs";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

const Exporter = process.argv[2] === "json" ? JsonExporter : ProtobufExporter;
const resource = resourceFromAttributes({ "service.name": "weather" });
const provider = new NodeTracerProvider({
  resource,
  spanProcessors: [new BatchSpanProcessor(new Exporter())],
});
provider.register();
const logs = new LoggerProvider({
  resource,
  processors: [new SimpleLogRecordProcessor({ exporter: new OTLPLogExporter() })],
});

const tracer = trace.getTracer("weather");
await tracer.startActiveSpan(
  "invoke_agent forecaster",
  { attributes: { "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "forecaster" } },
  async (agent) => {
    const call = tracer.startSpan("chat gpt-5", {
      attributes: {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-5",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 10,
        "gen_ai.usage.cache_read.input_tokens": 40,
      },
    });
    call.end();
    const tool = tracer.startSpan("execute_tool search", {
      attributes: { "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search" },
    });
    tool.setStatus({ code: SpanStatusCode.ERROR, message: "no answer" });
    tool.end();
    logs.getLogger("weather").emit({ body: "half way", context: context.active() });
    agent.end();
  },
);
await provider.shutdown();
await logs.shutdown();
