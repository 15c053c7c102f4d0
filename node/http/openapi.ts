import { z } from 'zod';
import type { Route, ResponseDoc } from './route.ts';
import { problemSchema } from './schemas.ts';

type JsonSchema = Record<string, unknown>;

/** OpenAPI 3.1 of the table: nothing in it is written by hand beside the routes themselves. */
export function describeRoutes(routes: readonly Route[], version: string): object {
  const components = new Components();
  const paths: Record<string, Record<string, object>> = {};
  for (const described of routes) {
    const path = named(described.path).replaceAll(/:([A-Za-z]+)/g, '{$1}');
    paths[path] = { ...paths[path], [described.method.toLowerCase()]: operation(described, components) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Quorate', version },
    paths,
    components: {
      schemas: components.schemas,
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
    },
  };
}

/** The rest of a path, slashes included; OpenAPI has no parameter of that kind and takes any name. */
const REST = '*';
const REST_NAME = 'path';

function named(path: string): string {
  return path.replace(REST, `:${REST_NAME}`);
}

function operation(described: Route, components: Components): object {
  return {
    summary: described.summary,
    operationId: operationId(described),
    security: described.scope === 'public' ? [] : [{ bearer: [] }],
    ...(described.scope === 'public' ? {} : { 'x-scope': described.scope }),
    parameters: [
      ...parameters('path', described.params, components),
      ...parameters('query', described.query, components),
      ...parameters('header', described.headers, components),
    ],
    ...requestBody(described, components),
    responses: {
      ...Object.fromEntries(
        Object.entries(described.responses).map(([status, doc]) => [status, response(doc, components)]),
      ),
      default: response(
        { description: 'A problem.', mediaType: 'application/problem+json', schema: problemSchema },
        components,
      ),
    },
  };
}

function operationId(described: Route): string {
  const words = named(described.path)
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== '' && word !== 'v1');
  return [described.method.toLowerCase(), ...words].join('-');
}

function parameters(
  place: 'path' | 'query' | 'header',
  schema: z.ZodType | undefined,
  components: Components,
): object[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = components.inline(schema, 'input') as {
    properties?: Record<string, JsonSchema>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, property]) => ({
    name: name === REST ? REST_NAME : name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: property,
  }));
}

function requestBody(described: Route, components: Components): object {
  const rule = described.body;
  if (rule === undefined || rule.kind === 'none') return {};
  const types = rule.kind === 'json' ? ['application/json'] : (rule.types ?? ['application/octet-stream']);
  const schema = rule.schema === null ? {} : components.refer(rule.schema, 'input');
  return {
    requestBody: { required: true, content: Object.fromEntries(types.map((type) => [type, { schema }])) },
  };
}

function response(doc: ResponseDoc, components: Components): object {
  if (doc.schema === undefined && doc.mediaType === undefined) return { description: doc.description };
  const schema = doc.schema === undefined ? {} : components.refer(doc.schema, 'output');
  return { description: doc.description, content: { [doc.mediaType ?? 'application/json']: { schema } } };
}

/** Schemas with an id stand once under `components`; the others where they are used. */
class Components {
  readonly schemas: Record<string, JsonSchema> = {};

  refer(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
    const id = schema.meta()?.id;
    const inline = this.inline(schema, io);
    if (id === undefined) return inline;
    this.schemas[id] = inline;
    return { $ref: `#/components/schemas/${id}` };
  }

  inline(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
    const text = JSON.stringify(z.toJSONSchema(schema, { io, unrepresentable: 'any' }));
    const {
      $schema: _,
      $defs,
      id: __,
      ...rest
    } = JSON.parse(text.replaceAll('"#/$defs/', '"#/components/schemas/')) as JsonSchema;
    for (const [name, { id: ___, ...definition }] of Object.entries(($defs ?? {}) as Record<string, JsonSchema>)) {
      this.schemas[name] = definition;
    }
    return rest;
  }
}
