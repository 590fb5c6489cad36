"""The API's documentation: the schema, and a page that shows it with local files only and no script of its own in the page."""

from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiJsonRenderer2, OpenApiYamlRenderer, OpenApiYamlRenderer2
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView


class SchemaView(SpectacularAPIView):
    """`/api/schema/`: OpenAPI 3, as JSON unless YAML is asked for."""

    authentication_classes = ()
    renderer_classes = [OpenApiJsonRenderer2, OpenApiJsonRenderer, OpenApiYamlRenderer, OpenApiYamlRenderer2]


class DocsView(SpectacularSwaggerSplitView):
    """`/api/docs/`. The page and its script are two answers, so that a policy without inline scripts holds."""

    authentication_classes = ()
    template_name = "api/docs.html"
    url_name = "api-schema"
