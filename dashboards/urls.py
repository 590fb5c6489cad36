from django.urls import path

from dashboards import budgets, views
from dashboards.settings import views as settings

SETTINGS = "o/<slug:organization>/settings/"
BRIDGE = SETTINGS + "bridges/<slug:slug>/"

app_name = "dashboards"
urlpatterns = [
    path("o/<slug:organization>/dashboard/", views.dashboard, name="dashboard"),
    path("o/<slug:organization>/dashboard/<slug:metric>/", views.sheet, name="sheet"),
    path(SETTINGS, settings.home, name="settings"),
    path(SETTINGS + "bridges/", settings.bridges, name="bridges"),
    path(SETTINGS + "bridges/new/", settings.new_bridge, name="new-bridge"),
    path(BRIDGE, settings.bridge, name="bridge"),
    path(BRIDGE + "delete/", settings.delete_bridge, name="delete-bridge"),
    path(BRIDGE + "versions/", settings.bridge_versions, name="bridge-versions"),
    path(BRIDGE + "versions/<int:number>/", settings.bridge_version, name="bridge-version"),
    path(BRIDGE + "versions/<int:number>/publish/", settings.publish_version, name="publish-version"),
    path(BRIDGE + "versions/<int:number>/label/", settings.label_version, name="label-version"),
    path(BRIDGE + "changes/", settings.bridge_changes, name="bridge-changes"),
    path(BRIDGE + "playground/", settings.bridge_playground, name="playground"),
    path(BRIDGE + "trials/", settings.bridge_trials, name="trials"),
    path(BRIDGE + "trials/run/", settings.run_trials, name="run-trials"),
    path(BRIDGE + "trials/<uuid:trial_id>/", settings.trial, name="trial"),
    path(BRIDGE + "trials/<uuid:trial_id>/delete/", settings.delete_trial, name="delete-trial"),
    path("o/<slug:organization>/settings/budgets/", budgets.budgets, name="budgets"),
    path("o/<slug:organization>/settings/budgets/new/", budgets.new_budget, name="new-budget"),
    path("o/<slug:organization>/settings/budgets/<uuid:budget_id>/", budgets.budget, name="budget"),
    path("o/<slug:organization>/settings/budgets/<uuid:budget_id>/delete/", budgets.delete_budget, name="delete-budget"),
]

for noun, its_id in (("models", "model_id"), ("templates", "template_id"), ("tools", "tool_id"), ("chatbots", "chatbot_id")):
    one = f"{SETTINGS}{noun}/<uuid:{its_id}>/"
    urlpatterns += [
        path(f"{SETTINGS}{noun}/", settings.rows, {"noun": noun}, name=noun),
        path(f"{SETTINGS}{noun}/new/", settings.new_row, {"noun": noun}, name=f"new-{noun}"),
        path(one, settings.row, {"noun": noun}, name=f"one-{noun}"),
        path(f"{one}delete/", settings.delete_row, {"noun": noun}, name=f"delete-{noun}"),
    ]
