"""What the GraphQL services have in common: a request read, checked against the schema, run, and answered.

What the text of a query gets wrong is a 422; what goes wrong while it runs is an error under status 200. A service may
count the fields of a query, nested ones too, and refuse more than its limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    build_schema,
    execute_sync,
    parse,
    validate,
)
from starlette.responses import JSONResponse, Response

from dimo_etl.sandbox.callers import graphql_caller

if TYPE_CHECKING:
    from graphql import DocumentNode, GraphQLSchema
    from starlette.requests import Request

    from dimo_etl.sandbox.tokens import Issuer


class GraphQLService:
    """One schema, and how requests to it are answered.

    Attributes:
        schema: a service may give its scalars and fields their Python here.
    """

    def __init__(self, name: str, *, complexity: int | None = None) -> None:
        """Read a schema.

        Args:
            name: of the schema's file in this folder, without its suffix.
            complexity: the fields a query may have; None for any number.
        """
        self.schema: GraphQLSchema = build_schema(Path(__file__).with_name(f"{name}.graphql").read_text("utf-8"))
        self._complexity = complexity

    async def answer(self, request: Request, root: Mapping[str, object], context: object = None) -> Response:
        """Answer a request.

        Args:
            request: a POST of JSON, or a GET.
            root: the resolvers of the queries, by name.
            context: handed to every resolver in its `info`.
        """
        given = _decoded(await request.body()) if request.method == "POST" else dict(request.query_params)
        if not isinstance(given, dict):
            return errors(400, GraphQLError("json request body could not be decoded"))
        variables = given.get("variables")
        if isinstance(variables, str):
            variables = _decoded(variables.encode())
        return self._run(str(given.get("query") or ""), variables, given.get("operationName"), root, context)

    async def answer_vehicle(self, request: Request, root: Mapping[str, object], vehicles: Issuer) -> Response:
        """Answer a request with a vehicle token, whose vehicle and privileges are the resolvers' context.

        Args:
            request: as for `answer`.
            root: as for `answer`.
            vehicles: verifies the token; where there is none, the resolvers refuse.
        """
        caller = graphql_caller(request, vehicles)
        if caller is None:
            return JSONResponse({"message": "JWT is invalid."}, 401)
        return await self.answer(request, root, caller)

    def _run(
        self, query: str, variables: object, operation: object, root: Mapping[str, object], context: object
    ) -> Response:
        try:
            document = parse(query)
        except GraphQLError as error:
            return errors(422, coded(error, "GRAPHQL_PARSE_FAILED"))
        if problems := validate(self.schema, document):
            return errors(422, *(coded(problem, "GRAPHQL_VALIDATION_FAILED") for problem in problems))
        if self._complexity is not None and (count := complexity_of(document)) > self._complexity:
            too_much = GraphQLError(f"operation has complexity {count}, which exceeds the limit of {self._complexity}")
            return errors(200, coded(too_much, "COMPLEXITY_LIMIT_EXCEEDED"))
        result = execute_sync(
            self.schema,
            document,
            root,
            context,
            variable_values=variables if isinstance(variables, dict) else None,
            operation_name=operation if isinstance(operation, str) else None,
        )
        if result.errors and result.data is None and not any(error.path for error in result.errors):
            return errors(422, *(coded(error, "GRAPHQL_VALIDATION_FAILED") for error in result.errors))
        return Response(orjson.dumps(result.formatted), media_type="application/json")


def complexity_of(document: DocumentNode) -> int:
    """How many fields a query has, those of its fragments counted wherever they are used."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}

    def count(selected: SelectionSetNode | None) -> int:
        total = 0
        for node in selected.selections if selected is not None else ():
            if isinstance(node, FieldNode):
                total += 1 + count(node.selection_set)
            elif isinstance(node, FragmentSpreadNode):
                total += count(fragments[node.name.value].selection_set)
            elif isinstance(node, InlineFragmentNode):
                total += count(node.selection_set)
        return total

    return sum(count(node.selection_set) for node in document.definitions if isinstance(node, OperationDefinitionNode))


def coded(error: GraphQLError, code: str) -> GraphQLError:
    """The error with a code."""
    error.extensions = {"code": code}
    return error


def errors(status: int, *errors: GraphQLError) -> Response:
    """An answer of nothing but errors."""
    return JSONResponse({"errors": [error.formatted for error in errors], "data": None}, status)


def _decoded(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
