"""The same small API in Django and in Django REST framework; see ``adapter_apps``. Django has one set of settings."""

from adapter_calls import AsgiCaller, WsgiCaller

import django_settings

django_settings.configure()

from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponseNotAllowed, JsonResponse
from django.test import override_settings
from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView

import guestpass.django
import guestpass.drf

FRESH_SECONDS = 60


def told(session):
    """What a route answers."""
    return {"user": session and session.user_id}


class Urls:
    """What Django takes for the module of an application's addresses."""

    def __init__(self, views):
        self.urlpatterns = [path(name, view) for name, view in views.items()]


def serving_wsgi(views):
    """Return a caller of views by their address."""
    urls, handler = Urls(views), WSGIHandler()

    def app(environ, start_response):
        with override_settings(ROOT_URLCONF=urls):
            return handler(environ, start_response)

    return WsgiCaller(app)


def serving_asgi(views):
    """Do the same as an ASGI application."""
    urls, handler = Urls(views), ASGIHandler()

    async def app(scope, receive, send):
        with override_settings(ROOT_URLCONF=urls):
            await handler(scope, receive, send)

    return AsgiCaller(app)


def in_django(verifier):
    auth = guestpass.django.SessionAuth(verifier)

    def required(request):
        return JsonResponse(told(auth.session(request)))

    read, pay = auth.require("read_invoices")(required), auth.require("pay_invoices")(required)

    def invoices(request):
        views = {"GET": read, "POST": pay}
        return views[request.method](request) if request.method in views else HttpResponseNotAllowed(views)

    invoices.csrf_exempt = read.csrf_exempt
    views = {
        "invoices": invoices,
        "fresh": auth.require("read_invoices", max_age_seconds=FRESH_SECONDS)(required),
        "twice": auth.require()(read),
        "me": auth.require()(required),
        "hello": lambda request: JsonResponse(told(auth.optional(request))),
        "forgotten": required,
    }
    return auth, serving_wsgi(views)


def in_async_django(verifier):
    auth = guestpass.django.SessionAuth(verifier)

    async def required(request):
        return JsonResponse(told(auth.session(request)))

    async def hello(request):
        return JsonResponse(told(await auth.aoptional(request)))

    read, pay = auth.require("read_invoices")(required), auth.require("pay_invoices")(required)

    async def invoices(request):
        return await (read if request.method == "GET" else pay)(request)

    invoices.csrf_exempt = read.csrf_exempt
    views = {
        "invoices": invoices,
        "fresh": auth.require("read_invoices", max_age_seconds=FRESH_SECONDS)(required),
        "twice": auth.require()(read),
        "me": auth.require()(required),
        "hello": hello,
        "forgotten": required,
    }
    return auth, serving_asgi(views)


def in_drf(verifier):
    gate = guestpass.django.SessionAuth(verifier)

    class Authentication(guestpass.drf.GuestpassAuthentication):
        auth = gate

    class Fresh(Authentication):
        max_age_seconds = FRESH_SECONDS

    class View(APIView):
        authentication_classes = (Authentication,)

        def get(self, request):
            return Response(told(request.auth))

    def view(name, **attributes):
        return type(name, (View,), attributes).as_view()

    class Invoices(View):
        def get_permissions(self):
            return [guestpass.drf.require("pay_invoices" if self.request.method == "POST" else "read_invoices")()]

        def post(self, request):
            return Response(told(request.auth))

    read, anyone = guestpass.drf.require("read_invoices"), guestpass.drf.require()
    views = {
        "invoices": Invoices.as_view(),
        "fresh": view("Now", permission_classes=(read,), authentication_classes=(Fresh,)),
        "twice": view("Twice", permission_classes=(anyone, read)),
        "me": view("Me", permission_classes=(anyone,)),
        "hello": view("Hello", permission_classes=()),
    }
    return gate, serving_wsgi(views)
